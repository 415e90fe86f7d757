import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { unseal } from "./sealed.ts";
import type { Answer, Limits } from "../http.ts";
import { askWell, textOf, whereOf, type Asked, type Store } from "./store.ts";

/** Asks the admin API, version 3. @throws ChimeError `minio.*` */
export async function askAdmin(
  store: Store,
  call: string,
  asked: Omit<Asked, "path" | "maxBytes">,
  limits: Limits,
): Promise<Answer> {
  return askWell(store, { ...asked, path: `/minio/admin/v3/${call}`, maxBytes: 16 << 20 }, limits);
}

/** The same, for what it answers, in the form that is expected. @throws ChimeError `minio.*` */
export async function askJson<T>(
  store: Store,
  call: string,
  schema: v.GenericSchema<unknown, T>,
  asked: Omit<Asked, "path" | "maxBytes">,
  limits: Limits,
): Promise<T> {
  return parsed(store, call, schema, textOf(await askAdmin(store, call, asked, limits)));
}

/** @throws ChimeError `minio.answer` */
function parsed<T>(store: Store, call: string, schema: v.GenericSchema<unknown, T>, text: string): T {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    throw failed("minio.answer", `${whereOf(store)} answers ${call} in a form that is not known`, {
      remedy: "use an engine that docs/systems.md names",
      cause,
    });
  }
}

/** What an answer says that is encrypted with the secret key of who asked. @throws ChimeError `minio.answer` */
export async function unsealed<T>(
  store: Store,
  call: string,
  schema: v.GenericSchema<unknown, T>,
  body: Uint8Array,
): Promise<T> {
  return parsed(store, call, schema, await unseal(store.credentials.secretKey, body));
}
