import { refused } from "../../core/errors.ts";
import { minioSpec, nodes } from "../../roles/minio/layout.ts";
import { listVersions } from "../../roles/minio/s3.ts";
import { ownStore } from "../../roles/minio/stores.ts";
import type { RoleContext } from "../../roles/types.ts";
import { judged } from "./conceded.ts";
import { foundByNode, type Load } from "./load.ts";
import { ObjectClients } from "./objects.ts";

/** Nobody else's objects are below it; those that are there belong to a drill that was killed. */
const prefix = ".chime-node/drill/";

/** Enough to see an outage to some hundredths of a second, and no burden. */
const pace = { writers: 3, readers: 2, pauseMs: 20 };

/** A client of a store waits so long for an answer. */
const requestMs = 5_000;

/** Who is at work changes something within that time. */
const apartMs = 2_000;

/** Puts, writes over, deletes and reads objects through the VIP. */
export function objectLoad(context: RoleContext): Load {
  const { bucket, topology, vip } = minioSpec(context);
  const holder = ownStore(context);
  const store = { ...holder, address: vip.address };
  const clients = new ObjectClients({ store, bucket, prefix, requestMs, ...pace });
  const present = async () => {
    const found = await Array.fromAsync(listVersions(store, bucket, { timeoutMs: requestMs, prefix }));
    return found.map(({ key, id }) => `${key} ${id}`).join();
  };
  return {
    what: "objects",
    clients,
    async prepare() {
      const found = await present();
      if (found === "") return;
      await Bun.sleep(apartMs);
      if ((await present()) !== found) {
        throw refused("drill.running", "another drill is under way in this cluster");
      }
      await clients.clear();
    },
    async compare() {
      const found = await foundByNode(
        nodes(context.members),
        (address) => clients.faultsOn({ ...holder, address }),
        (faults) => faults.length === 0,
      );
      return judged(topology, found, clients.misread);
    },
    remove: () => clients.clear(),
  };
}
