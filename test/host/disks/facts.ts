import { identify } from "../../../src/host/disks/identity.ts";
import type { GivenDisk } from "../../../src/host/disks/record.ts";
import type { Disk } from "../../../src/host/disks/look.ts";
import { judge } from "../../../src/host/disks/judge.ts";
import type { Device, DiskFacts } from "../../../src/host/disks/types.ts";

const device: Device = {
  kernelName: "sdb",
  path: "/dev/sdb",
  number: "8:16",
  type: "disk",
  size: 4 * 2 ** 40,
  readOnly: false,
  removable: false,
  model: "WDC WD40EFRX",
  serial: "WD-WCC4E1234567",
  wwn: "0x50014ee2b5a1c0de",
  fileSystem: null,
};

/** A blank disk of a server, with whatever is different. */
export function factsOf(changed: Partial<DiskFacts> = {}, ofDevice: Partial<Device> = {}): DiskFacts {
  return {
    device: { ...device, ...ofDevice },
    stableName: "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-WCC4E1234567",
    state: "8:16 8589934592 7",
    node: "there",
    virtual: false,
    partitions: [],
    holders: [],
    mounts: [],
    swap: false,
    members: [],
    namedIn: [],
    openIn: [],
    twins: [],
    backing: null,
    container: false,
    content: { signatures: [], trouble: [] },
    hold: { refusal: undefined, written: [], trouble: [] },
    trouble: [],
    ...changed,
  };
}

export function diskOf(changed: Partial<DiskFacts> = {}, ofDevice: Partial<Device> = {}): Disk {
  const facts = factsOf(changed, ofDevice);
  return { facts, verdict: judge(facts) };
}

/** A disk that was given to the role `store`. */
export function givenDisk(slot: number): GivenDisk {
  const uuid = `6f1c8b1e-0000-4000-8000-${String(slot).padStart(12, "0")}`;
  return {
    label: `store-disk${slot}`,
    uuid,
    at: `/store/disk${slot}`,
    identity: identify(factsOf(), "boot"),
  };
}
