import { join } from "node:path";
import { bundleInit, copyLabBundle, makeLabBundle } from "../../test/lab/bundle.ts";
import { joinBoth, type Initialized } from "../../test/lab/pair.ts";
import { installBare, timed, withBareNodes } from "./pair.ts";
import { median, type Row } from "./row.ts";

/**
 * Two nodes that reach no repository to a serving pair, from one bundle on one of them: all that is typed once the
 * program is in its place, which is import, `init` and both joins at once. In turns with installing the same packages on two bare nodes at once.
 */
export async function measureOffline(
  binary: string,
  runs: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  const [bare, offline, before]: [number[], number[], number[]] = [[], [], []];
  for (let i = 1; i <= runs; i++) {
    progress(`a pair without a network: ${i} of ${runs}`);
    await withBareNodes(progress, async (lab) => {
      bare.push(await timed(() => installBare(lab)));
    });
    await withBareNodes(progress, async (lab) => {
      const [first] = lab.nodes;
      if (!first) throw new Error("a pair needs two nodes");
      const made = await makeLabBundle(lab, binary, join(lab.work, "bundle.tar"));
      for (const node of lab.nodes) {
        await node.install(binary);
        await node.sh("umount /mirror; rm /etc/apt/sources.list");
      }
      await copyLabBundle(made, first);
      const form = async () => {
        const start = performance.now();
        await first.run(["chime-node", "bundle", "import", "/root/bundle.tar", "--trust", "/root/key.pub"]);
        const { stdout } = await first.run([...bundleInit, "--json"]);
        before.push((performance.now() - start) / 1000);
        await joinBoth(lab, JSON.parse(stdout) as Initialized);
      };
      offline.push(await timed(form));
    });
  }
  return [
    { name: "the same packages on two bare nodes", values: bare, unit: "s", target: null },
    { name: "a pair from one bundle, without a network", values: offline, unit: "s", target: null },
    { name: "  import and init, before the joins", values: before, unit: "s", target: null },
    { name: "  against the packages", values: [median(offline) / median(bare)], unit: "×", target: 1.35 },
  ];
}
