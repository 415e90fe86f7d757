import { describe, expect, test } from "bun:test";
import { withBlock } from "../../src/resources/hosts.ts";

const block = "# begin chime-node m\n10.0.0.1 a\n# end chime-node m\n";

describe("withBlock", () => {
  test.each<[string, string, string[], string]>([
    ["added at the end", "127.0.0.1 localhost\n", ["10.0.0.1 a"], `127.0.0.1 localhost\n${block}`],
    ["a missing line end is mended", "x", ["10.0.0.1 a"], `x\n${block}`],
    ["an empty file", "", ["10.0.0.1 a"], block],
    ["replaced in place", `x\n${block}y\n`, ["1 b"], "x\n# begin chime-node m\n1 b\n# end chime-node m\ny\n"],
    ["unchanged", `x\n${block}y\n`, ["10.0.0.1 a"], `x\n${block}y\n`],
    ["taken out", `x\n${block}y\n`, [], "x\ny\n"],
    ["nothing to take out", "x\n", [], "x\n"],
    ["a block without its end loses one line only", "# begin chime-node m\ny\n", [], "y\n"],
    [
      "a block of another name stays",
      "# begin chime-node n\n# end chime-node n\n",
      [],
      "# begin chime-node n\n# end chime-node n\n",
    ],
  ])("%s", (_name, text, lines, wanted) => {
    expect(withBlock(text, "m", lines)).toBe(wanted);
  });
});
