import packageJson from "../../../package.json" with { type: "json" };
import { build, stateForm } from "../../core/build.ts";
import { defineVerb } from "../command.ts";

export const version = defineVerb({
  name: "version",
  summary: "print the version of this binary; with --json also its commit, parts and trusted keys",
  example: "chime-node version --json",
  args: {},
  async run({ out }) {
    const { commit, modified, parts, trustedKeys } = build;
    out.result(
      {
        version: packageJson.version,
        arch: process.arch,
        commit,
        modified,
        state: stateForm,
        parts,
        trusted_keys: trustedKeys,
      },
      `chime-node ${packageJson.version}`,
    );
  },
});
