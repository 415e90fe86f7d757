import packageJson from "../../../package.json" with { type: "json" };
import { defineVerb } from "../command.ts";

export const version = defineVerb({
  name: "version",
  summary: "print the version of this binary",
  example: "chime-node version --json",
  args: {},
  async run({ out }) {
    out.result({ version: packageJson.version, arch: process.arch }, `chime-node ${packageJson.version}`);
  },
});
