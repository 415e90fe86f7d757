import { createPrivateKey, X509Certificate } from "node:crypto";
import { readText } from "../host/files.ts";
import { Attention } from "./attention.ts";

/** Where a server has its pair from, PEM. */
export interface PairFiles {
  cert: string;
  key: string;
}

/** SHA-256 of the certificate that is there, as X509Certificate tells it; undefined where there is none, or the two are no pair. */
export async function fingerprintThere(files: PairFiles): Promise<string | undefined> {
  const [cert, key] = await Promise.all([readText(files.cert), readText(files.key)]);
  return cert === undefined || key === undefined ? undefined : fingerprintOf(cert, key);
}

/** Whether a server shows the certificate that is there, or another one; `unknown`: nobody answers. */
export type Shown = "shown" | "other" | "unknown";

export async function shownAt(address: string, port: number, files: PairFiles): Promise<Shown> {
  const open = await Attention.open(address, port, () => undefined, { tls: true });
  open?.close();
  if (!open?.certificate) return "unknown";
  const there = await fingerprintThere(files);
  return there === undefined || there === open.certificate.shown ? "shown" : "other";
}

/**
 * What is still to come until a server shows the certificate that is there; undefined: nothing. One that does not run reads it
 * when it starts; of one that runs and does not answer nobody knows what it has read.
 * @param late what is said where it shows another one
 */
export async function unshown(
  shown: Shown,
  isStopped: () => Promise<boolean>,
  late: string,
): Promise<string | undefined> {
  if (shown === "unknown") return (await isStopped()) ? undefined : "its server does not answer";
  return shown === "other" ? late : undefined;
}

/** Pure; undefined where the two are no pair. */
function fingerprintOf(cert: string, key: string): string | undefined {
  try {
    const certificate = new X509Certificate(cert);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? certificate.fingerprint256 : undefined;
  } catch {
    return undefined;
  }
}
