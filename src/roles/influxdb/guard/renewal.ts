import type { ShownCertificate } from "../../attention.ts";
import { fingerprintThere, shownAt, unshown, type PairFiles } from "../../shown-certificate.ts";
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
  files: PairFiles = serverFiles,
): Promise<Renewal> {
  const there = await fingerprintThere(files);
  // What does not fit is put right first: a server that is started with it ends at once.
  if (there === undefined || there === shown) return "none";
  return until - now < urgentMs ? "now" : "due";
}

/** What a server waits for until it shows its files; undefined where it does, or will as soon as it runs. */
export async function unrenewed(
  address: string,
  isStopped: () => Promise<boolean>,
  port: number = httpPort,
  files: PairFiles = serverFiles,
): Promise<string | undefined> {
  const shown = await shownAt(address, port, files);
  return unshown(shown, isStopped, "its server is started anew for its certificate in its turn");
}
