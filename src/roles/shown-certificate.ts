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

/** Whether a server shows the certificate that is there. One that does not run reads it when it starts. */
export async function isShown(address: string, port: number, files: PairFiles): Promise<boolean> {
  const open = await Attention.open(address, port, () => undefined, { tls: true });
  open?.close();
  if (!open?.certificate) return true;
  const there = await fingerprintThere(files);
  return there === undefined || there === open.certificate.shown;
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
