/**
 * Joins as so many witnesses, one after the other, and starts no agent. argv[2]: the token; argv[3]: how many, at most 50.
 * Prints the ms that each took, as JSON.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { enterCluster } from "../../src/cluster/join.ts";
import { parseToken } from "../../src/cluster/token.ts";

const [, , token = "", count = ""] = process.argv;
const took: number[] = [];
for (let i = 0; i < Number(count); i++) {
  const directory = await mkdtemp(join(tmpdir(), "chime-handshake-"));
  const files = {
    pki: join(directory, "pki"),
    secrets: join(directory, "secrets.toml"),
    state: join(directory, "cluster.json"),
  };
  const begun = performance.now();
  await enterCluster(files, {
    token: parseToken(token),
    // An address has one member: these are nobody's.
    node: { name: `visitor${i}`, address: `10.77.0.${200 + i}` },
    roles: ["witness"],
    binaryVersion: packageJson.version,
  });
  took.push(performance.now() - begun);
  await rm(directory, { recursive: true });
}
console.log(JSON.stringify(took));
