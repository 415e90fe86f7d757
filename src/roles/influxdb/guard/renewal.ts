import { createPrivateKey, X509Certificate } from "node:crypto";
import { readText } from "../../../host/files.ts";
import { Attention, type ShownCertificate } from "../../attention.ts";
import { httpPort } from "../layout.ts";
import { serverFiles } from "../tls.ts";

/** With less time left a server is restarted for its new certificate whatever the other one lacks: soon nobody could use it, ms. */
const urgentMs = 86_400_000;

/** `none`: the server shows the certificate that is there. `now`: nobody will trust the one that it shows before long. */
export type Renewal = "none" | "due" | "now";

/** Whether a server that shows this one has to be restarted for its files. */
export async function renewal(
  { shown, until }: ShownCertificate,
  now: number,
  files: Pick<typeof serverFiles, "cert" | "key"> = serverFiles,
): Promise<Renewal> {
  const [cert, key] = await Promise.all([readText(files.cert), readText(files.key)]);
  if (cert === undefined || key === undefined) return "none";
  const there = fingerprintOf(cert, key);
  // What does not fit is put right first: a server that is started with it ends at once.
  if (there === undefined || there === shown) return "none";
  return until - now < urgentMs ? "now" : "due";
}

/** What a server waits for until it shows its files; undefined where it does. One that does not run reads them when it starts. */
export async function unrenewed(
  address: string,
  port: number = httpPort,
  files?: Pick<typeof serverFiles, "cert" | "key">,
): Promise<string | undefined> {
  const open = await Attention.open(address, port, () => undefined, { tls: true });
  open?.close();
  if (!open?.certificate || (await renewal(open.certificate, Date.now(), files)) === "none") return undefined;
  return "its server is started anew for its certificate in its turn";
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
