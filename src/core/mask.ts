/**
 * Law 6: secrets appear in no log, plan, diff or error. Code that reads or makes a secret registers it here;
 * everything that prints goes through `mask`. A backstop, not a licence: do not put secrets into messages.
 */
let secrets: readonly string[] = [];

/** Shorter strings would blank ordinary words out of every line. */
const shortestSecret = 8;

export function registerSecret<T extends string>(value: T): T {
  // The longest first: where one begins another, its rest would be left.
  if (value.length >= shortestSecret && !secrets.includes(value))
    secrets = [...secrets, value].sort((a, b) => b.length - a.length);
  return value;
}

export function mask(text: string): string {
  let out = text;
  for (const secret of secrets) if (out.includes(secret)) out = out.replaceAll(secret, "********");
  return out;
}
