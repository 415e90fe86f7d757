import { parse, stringify } from "smol-toml";
import * as v from "valibot";
import { failed } from "../core/errors.ts";
import { registerSecret } from "../core/mask.ts";
import { randomSecret } from "../core/random.ts";
import type { Secrets } from "../spec/types.ts";
import { readText, writeAtomic } from "./files.ts";
import { secretsTable } from "./schema.ts";

/**
 * Reads secrets.toml and registers every value with core/mask. Empty where there is none (a witness).
 * @throws ChimeError `secrets.unreadable`
 */
export async function loadSecrets(path: string): Promise<Secrets> {
  const text = await readText(path);
  if (text === undefined) return {};
  let table: unknown;
  try {
    table = parse(text);
  } catch {
    // The parser's message quotes the line, and the line holds a secret.
    table = undefined;
  }
  const parsed = v.safeParse(secretsTable, table);
  if (!parsed.success) {
    throw failed("secrets.unreadable", `${path} is not a table of secrets a role`, {
      remedy: `copy ${path} from another member`,
    });
  }
  return registerSecrets(parsed.output);
}

export async function saveSecrets(path: string, secrets: Secrets): Promise<void> {
  registerSecrets(secrets);
  await writeAtomic(path, stringify(secrets), 0o600);
}

/** Returns `secrets` with a value for each wanted name: those that exist stay as they are, the others are generated. */
export function ensureSecrets(
  secrets: Secrets,
  wanted: Readonly<Record<string, readonly string[]>>,
): Secrets {
  const out: Record<string, Record<string, string>> = {};
  for (const role of new Set([...Object.keys(secrets), ...Object.keys(wanted)])) {
    const table = { ...secrets[role] };
    for (const name of wanted[role] ?? []) table[name] ??= randomSecret();
    out[role] = table;
  }
  return registerSecrets(out);
}

function registerSecrets(secrets: Secrets): Secrets {
  for (const table of Object.values(secrets)) {
    // An id tells nothing of its value, and stands in many a line.
    for (const [key, value] of Object.entries(table)) if (!key.endsWith("_id")) registerSecret(value);
  }
  return secrets;
}
