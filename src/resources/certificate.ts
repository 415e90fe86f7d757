import { createPrivateKey, X509Certificate } from "node:crypto";
import { lstat } from "node:fs/promises";
import { isIP } from "node:net";
import * as v from "valibot";
import { makeParents, readText, writeAtomically, type Ownership } from "../host/files.ts";
import { lookupOwner, resolveOwner } from "../host/users.ts";
import { remember, restore } from "./before.ts";
import type { FileResource } from "./file.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind } from "./types.ts";

/** PEM texts as the cluster's CA gives them out. */
export interface Issued {
  key: string;
  cert: string;
  ca: string;
}

/** The cluster's CA, or two while one takes the other's place; PEM. */
export interface ServiceAuthority {
  /** The CA file: of all that others may have their certificates from. */
  trusted: string;
  /** The one that must have signed. */
  signer: string;
}

export interface CertificateOptions {
  /** Names the resource, e.g. `mysql`. */
  name: string;
  /** Where the three files go. */
  paths: { key: string; cert: string; ca: string };
  /** Who reads the key; it is 0600. Default root. */
  owner?: string;
  /** IPv4 addresses and host names that the certificate must be valid for. */
  subjects: readonly string[];
  authority: ServiceAuthority;
  /** Makes a new key and has it signed; called only when the present one will not do. */
  issue(): Promise<Issued>;
  /** Has a service that runs take up the new ones; one that does not run reads them when it starts. */
  reload?: () => Promise<void>;
  needs?: readonly string[];
}

/** A certificate with less time left is replaced; nodes look at least daily. */
const renewBeforeMs = 30 * 24 * 3_600_000;

/**
 * Key, certificate and CA file of a service. Kept while the certificate fits the key, names every subject, is signed
 * by the CA and runs for another month; otherwise it is issued anew. Where others are to be trusted, the CA file alone is new.
 */
export function certificate(options: CertificateOptions): FileResource {
  const { owner = "root", paths, subjects, authority } = options;
  const id = `certificate:${options.name}`;
  return {
    id,
    needs: options.needs ?? [],
    desired: fingerprint({ paths, owner, subjects, ca: authority.trusted, ...signerOf(authority) }),
    files: [paths.key, paths.cert, paths.ca],
    async inspect() {
      const reason = await objection(options, owner);
      if (!reason) return undefined;
      return {
        action: reason.missing ? "create" : "update",
        impact: "none",
        // Nobody changed anything: it has to be renewed unasked, by who looks daily.
        ...(reason.aged ? { cause: "spec" as const } : {}),
        diff: reason.missing ? `+ certificate for ${subjects.join(", ")}` : reason.text,
        async apply({ ledger }) {
          const ids = await resolveOwner(owner, owner);
          // The key last: with an older certificate beside it, the next look finds that they do not fit.
          const files = ["ca", "cert", "key"] as const;
          if (ledger.noted(id) === undefined) {
            const notes: Notes = [];
            for (const file of files) {
              notes.push({ path: paths[file], before: await remember(paths[file], ledger.backups) });
            }
            await ledger.before(id, notes);
          }
          const write = async (texts: Issued) => {
            for (const file of files) {
              const as = { ...ids, mode: modes[file] };
              // By its age a service that reads it when it starts, and never again, is known to have read it.
              if ((await readText(paths[file])) === texts[file] && (await isPlaced(paths[file], as)))
                continue;
              await makeParents(paths[file]);
              await writeAtomically(paths[file], texts[file], as);
            }
          };
          const old = await present(paths);
          const kept = old && { ...old, ca: authority.trusted };
          const isGood = kept && judge(kept, subjects, authority, Date.now()) === undefined;
          await write(isGood ? kept : await options.issue());
          if (!old || !options.reload) return;
          try {
            await options.reload();
          } catch (error) {
            // The next look has to find what is in use.
            await write(old);
            throw error;
          }
        },
      };
    },
  };
}

/** Where it is the only one that is trusted, it goes without saying: what was reached before is what is wanted. */
function signerOf({ trusted, signer }: ServiceAuthority): { signer?: string } {
  return trusted === signer ? {} : { signer };
}

const modes = { key: 0o600, cert: 0o644, ca: 0o644 };

async function present(paths: CertificateOptions["paths"]): Promise<Issued | undefined> {
  const [key, cert, ca] = await Promise.all([readText(paths.key), readText(paths.cert), readText(paths.ca)]);
  return key === undefined || cert === undefined || ca === undefined ? undefined : { key, cert, ca };
}

/** Why the present files will not do; `aged`: because of their time alone. */
async function objection(
  options: CertificateOptions,
  owner: string,
): Promise<{ missing: boolean; aged: boolean; text: string } | undefined> {
  const found = await present(options.paths);
  if (!found) return { missing: true, aged: false, text: "" };
  const { subjects, authority } = options;
  const place = await misplaced(options, owner);
  const text = judge(found, subjects, authority, Date.now()) ?? place;
  if (text === undefined) return undefined;
  const aged = place === undefined && judge(found, subjects, authority, 0) === undefined;
  return { missing: false, aged, text };
}

/** Pure: what is wrong with a certificate, if anything. */
export function judge(
  present: Issued,
  subjects: readonly string[],
  authority: ServiceAuthority,
  now: number,
): string | undefined {
  try {
    const cert = new X509Certificate(present.cert);
    const ca = new X509Certificate(authority.signer);
    if (present.ca !== authority.trusted) return "the CA has changed";
    if (!cert.verify(ca.publicKey)) return "the certificate is signed by another CA";
    if (!cert.checkPrivateKey(createPrivateKey(present.key))) return "key and certificate do not fit";
    const unnamed = subjects.filter(
      (subject) => !(isIP(subject) ? cert.checkIP(subject) : cert.checkHost(subject)),
    );
    if (unnamed.length > 0) return `the certificate does not name ${unnamed.join(", ")}`;
    const left = Date.parse(cert.validTo) - now;
    if (left < renewBeforeMs) return `the certificate ends on ${cert.validTo}`;
    return undefined;
  } catch {
    return "the certificate cannot be read";
  }
}

async function misplaced(options: CertificateOptions, owner: string): Promise<string | undefined> {
  const ids = await lookupOwner(owner, owner);
  for (const file of ["key", "cert", "ca"] as const) {
    const path = options.paths[file];
    if (!ids || !(await isPlaced(path, { ...ids, mode: modes[file] })))
      return `owner or mode of ${path} have changed`;
  }
  return undefined;
}

/** Whether a file that is there belongs to whom it should. */
async function isPlaced(path: string, { uid, gid, mode }: Ownership): Promise<boolean> {
  const info = await lstat(path);
  return info.uid === uid && info.gid === gid && (info.mode & 0o7777) === mode;
}

const notesSchema = v.array(v.object({ path: v.string(), before: v.unknown() }));
type Notes = v.InferOutput<typeof notesSchema>;

export const certificateKind: Kind = {
  name: "certificate",
  async undo(_id, before) {
    for (const note of v.parse(notesSchema, before)) await restore(note.path, note.before);
  },
};
