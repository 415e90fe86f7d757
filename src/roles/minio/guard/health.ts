import { s3Port } from "../layout.ts";

/** What a node's server says of the whole store. `cluster` = 200 does not yet mean that a write goes through. */
export interface Health {
  /** Its process answers. */
  up: boolean;
  /** Enough drives answer for reads, and for writes. */
  reads: boolean;
  writes: boolean;
}

/** Just after a node lost its power the server waits for it, and answers late rather than wrongly (10 s seen). */
const answerMs = 15_000;

export async function readHealth(address: string, signal: AbortSignal): Promise<Health> {
  const [reads, writes] = await Promise.all([
    page(address, "cluster/read", signal),
    page(address, "cluster", signal),
  ]);
  return { up: reads !== null, reads: reads === 200, writes: writes === 200 };
}

/** Whether the process answers at all. */
export async function answers(address: string, signal: AbortSignal): Promise<boolean> {
  return (await page(address, "live", signal)) !== null;
}

/** The status of a health page; null where nobody answers. */
async function page(address: string, name: string, signal: AbortSignal): Promise<number | null> {
  try {
    const response = await fetch(`http://${address}:${s3Port}/minio/health/${name}`, {
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      // Bun's own: nothing of the environment comes between.
      ...({ proxy: false } as object),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return null;
  }
}
