import { certificateKind } from "./certificate.ts";
import { directoryKind } from "./directory.ts";
import { diskKind } from "./disk.ts";
import { fileKind } from "./file.ts";
import { hostsKind } from "./hosts.ts";
import { mountKind, mountPointKind } from "./mount.ts";
import { ownerKind } from "./owner.ts";
import { packageKind } from "./package.ts";
import { portKind } from "./port.ts";
import { programKind } from "./program.ts";
import { serviceKind } from "./service.ts";
import { sysctlKind } from "./sysctl.ts";
import type { Kind } from "./types.ts";
import { userKind } from "./user.ts";
import { vendorKeyKind } from "./vendor-key.ts";

/** Every kind of resource that this room has; roles with kinds of their own add them where reset is composed. */
export const kinds: readonly Kind[] = [
  certificateKind,
  directoryKind,
  diskKind,
  fileKind,
  hostsKind,
  mountKind,
  mountPointKind,
  ownerKind,
  packageKind,
  portKind,
  programKind,
  serviceKind,
  sysctlKind,
  userKind,
  vendorKeyKind,
];
