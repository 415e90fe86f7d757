/**
 * Law 6: secrets appear in no log, plan, diff or error. Code that reads or makes a secret registers it here;
 * everything that prints goes through `mask`. A backstop, not a licence: do not put secrets into messages.
 */
const secrets = new Set<string>();

/** Shorter strings would blank ordinary words out of every line. */
const shortestSecret = 8;

export function registerSecret<T extends string>(value: T): T {
  if (value.length >= shortestSecret) secrets.add(value);
  return value;
}

export function mask(text: string): string {
  let out = text;
  for (const secret of secrets) if (out.includes(secret)) out = out.replaceAll(secret, "********");
  return out;
}
