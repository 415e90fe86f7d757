import { expect, test } from "bun:test";
import { renderInit } from "../../src/cli/render-init.ts";

const made = {
  cluster: { name: "chime", id: "c0ffee" },
  node: "node1",
  token: "chime1.abc",
  join: "CHIME_TOKEN=chime1.abc chime-node join --role mysql",
};

test("what to run here and there, ready to be copied", () => {
  expect(renderInit(made, [])).toBe(`cluster chime (c0ffee) is on node1.
Give this node its role:   chime-node join --role mysql
On each further node run:  CHIME_TOKEN=chime1.abc chime-node join --role mysql`);
});

test("a node that took its role at once is not told to", () => {
  expect(renderInit(made, ["mysql"])).not.toContain("this node its role");
});
