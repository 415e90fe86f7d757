import { afterEach, beforeEach, expect, test } from "bun:test";
import { signAdmission } from "../../src/cluster/admission.ts";
import { generateKey } from "../../src/cluster/pki.ts";
import { signRecord } from "../../src/cluster/record.ts";
import { log } from "../../src/core/log.ts";
import { sampleMember } from "../samples.ts";
import { passing, SimNetwork, simCluster, simJoin, type SimNode } from "./sim.ts";

const count = 1_000;
const level = log.level;
beforeEach(() => void (log.level = 0));
afterEach(() => void (log.level = level));

/** Members that are all off but one, each with a record of 3 KB: three times what a frame holds. */
async function large(net: SimNetwork): Promise<SimNode> {
  const first = await simCluster(net);
  await passing(net, first.stop());
  const { caKey = "", identity } = first.credentials;
  const members = Array.from({ length: count - 1 }, (_, i) => {
    const key = generateKey();
    const index = i + 2;
    const node = { index, name: `n${index}`, address: `10.${1 + (index >> 8)}.0.${index & 255}` };
    const { publicKey } = key;
    const unsigned = { ...node, publicKey, witness: false, roles: [], left: false };
    const record = sampleMember({ ...node, roles: [], roleState: { agent: "x".repeat(2_500) } });
    return {
      admission: signAdmission(caKey, identity.cluster.id, unsigned),
      record: signRecord(key.privateKey, identity.cluster.id, record),
    };
  });
  first.know({
    admissions: members.map(({ admission }) => admission),
    records: members.map(({ record }) => record),
  });
  return await first.start();
}

/** Of how many it has the record. */
const known = ({ agent }: SimNode) =>
  agent.members().filter(({ binaryVersion }) => binaryVersion !== "").length;

test("a node comes into a cluster of 1,000, and so does one that lost its state", async () => {
  const net = new SimNetwork(1);
  const first = await large(net);
  const { token } = await passing(net, first.agent.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [] }));
  // Close to the one that lives: gossip would take minutes to find the three among a thousand.
  const join = (name: string, address: string) => simJoin(net, first, token, name, address, ["server"]);
  const second = await passing(net, join("second", "10.0.0.2"));
  expect(second.agent.members()).toHaveLength(count + 1);
  const third = await passing(net, join("third", "10.0.0.3"));
  await net.clock.run(5_000);
  for (const node of [first, second, third]) expect(known(node)).toBe(count + 2);

  await passing(net, second.stop());
  second.forget();
  await second.start();
  await net.clock.run(5_000);
  expect(known(second)).toBe(count + 2);
});
