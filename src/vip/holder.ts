import { exec } from "../core/exec.ts";
import { readLocalAddresses } from "../host/local-addresses.ts";
import { killUnit } from "../host/systemd.ts";

/**
 * Whether this node holds the address right now: the kernel's own word, for a start of the agent (it missed what
 * the FIFO told) and for `status`.
 */
export async function holdsAddress(address: string): Promise<boolean> {
  const [ip = ""] = address.split("/");
  return (await readLocalAddresses()).has(ip);
}

/**
 * Takes a VIP away that keepalived left behind: a killed keepalived takes nothing back, while the peer already
 * answers for the address. Doing it twice is no error. Returns whether there was anything to take.
 * @throws ChimeError `exec.failed`
 */
export async function removeAddress(address: string, carrier: string): Promise<boolean> {
  const cidr = address.includes("/") ? address : `${address}/32`;
  if (!(await holdsAddress(cidr))) return false;
  // 2: somebody else was faster (RTNETLINK: Cannot assign requested address).
  await exec(["ip", "address", "del", cidr, "dev", carrier], { ok: [0, 2], timeoutMs: 5_000 });
  return true;
}

/**
 * Takes a VIP back from a keepalived that hangs: it hears neither its gate nor its peers. It is killed, too, so that
 * systemd starts one that takes part in elections again.
 * @throws ChimeError `exec.failed`
 */
export async function evict(address: string, carrier: string, unit: string): Promise<void> {
  await removeAddress(address, carrier);
  await killUnit(unit);
}
