import { resolve } from "node:path";
import { createBundle } from "../../operations/bundle/create.ts";
import { generateKeys } from "../../bundle/keys.ts";
import { importHere, listBundles } from "../../operations/bundle/import.ts";
import { verifyBundle } from "../../operations/bundle/verify.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";
import { renderBundle } from "../render-bundle.ts";

const keygen = defineVerb({
  name: "keygen",
  summary: "make a pair of keys that bundles are signed with: PREFIX, and PREFIX.pub to give away",
  example: "chime-node bundle keygen --out bundle-key",
  args: {
    out: { type: "string", hint: "PREFIX", summary: "where: a file name without ending", required: true },
  },
  async run({ args, out }) {
    const made = await generateKeys(resolve(args.out));
    out.result(made, `${made.key} signs: keep it secret\n${made.pub} checks: bring it to the nodes`);
  },
});

const create = defineVerb({
  name: "create",
  summary: "put all that nodes of a system need for their roles into one signed file",
  example:
    "chime-node bundle create --os debian12 --role mysql --set roles.mysql.engine=mariadb --key bundle-key -o chime-debian12-x64.tar",
  args: {
    os: {
      type: "string",
      hint: "SYSTEM",
      summary: "the nodes' system, e.g. debian12",
      required: true,
    },
    arch: { type: "choice", options: ["x64", "arm64"], summary: "the nodes' CPU; default: this machine's" },
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "what the nodes will be", required: true },
    config: { type: "string", hint: "FILE", summary: "the cluster.toml that it is for" },
    set: { type: "list", hint: "KEY=VALUE", summary: "a key of cluster.toml, dotted" },
    addBinary: {
      type: "list",
      hint: "NAME=FILE",
      summary:
        "a program of your own: minio=FILE or influxd=FILE, the server that roles.ROLE.binary names; chime-node=FILE instead of the one that runs",
    },
    source: {
      type: "list",
      hint: "LINE",
      summary:
        "a line of sources.list to take packages from, or for Enterprise Linux a .repo file; default: this machine's where it is of that system, else the distribution's",
    },
    installed: {
      type: "string",
      hint: "FILE",
      summary:
        "what the nodes' image has, where that is more than a minimal one: its /var/lib/dpkg/status, or a list by rpm -qa",
    },
    key: { type: "string", hint: "FILE", summary: "the private key to sign with", required: true },
    output: { type: "string", hint: "FILE", summary: "the file to write", required: true, short: "o" },
  },
  async run(context) {
    const { args, out } = context;
    const arch = args.arch ?? (process.arch === "arm64" ? "arm64" : "x64");
    const options = {
      ...args,
      arch,
      output: resolve(args.output),
      key: resolve(args.key),
      binary: process.execPath,
    };
    const made = await createBundle(options, operationIo(context));
    out.result(made, renderBundle(made));
  },
});

const verify = defineVerb({
  name: "verify",
  summary: "check who signed a bundle and every byte of it; nothing is unpacked",
  example: "chime-node bundle verify chime-debian12-x64.tar --key bundle-key.pub",
  args: {
    file: { type: "positional", hint: "FILE", summary: "the bundle", required: true },
    key: {
      type: "list",
      hint: "PUB",
      summary: "a public key whose signature counts; default: the release's",
    },
  },
  async run(context) {
    const { args, out } = context;
    const found = await verifyBundle(resolve(args.file), args.key, operationIo(context));
    out.result(found, `${args.file} is whole and signed with ${found.signer}\n${renderBundle(found)}`);
  },
});

const importFile = defineVerb({
  name: "import",
  summary: "check a bundle and make its packages this node's to install",
  example: "chime-node bundle import chime-debian12-x64.tar --trust bundle-key.pub",
  args: {
    file: { type: "positional", hint: "FILE", summary: "the bundle", required: true },
    trust: {
      type: "list",
      hint: "PUB",
      summary:
        "a public key whose signature counts from now on; default: those of the release and of the cluster",
    },
  },
  async run(context) {
    const { args, out } = context;
    const taken = await importHere(resolve(args.file), args.trust, operationIo(context));
    out.result(taken, `${taken.new ? "imported" : "it had been imported before:"} ${renderBundle(taken)}`);
  },
});

const list = defineVerb({
  name: "list",
  summary: "list the bundles that were imported on this node",
  example: "chime-node bundle list",
  args: {},
  async run({ out }) {
    const found = await listBundles();
    out.result(
      found,
      found.map((one) => renderBundle(one)).join("\n") || "no bundle was imported on this node",
    );
  },
});

export const bundle = defineGroup("bundle", "one file for nodes without a network", [
  keygen,
  create,
  verify,
  importFile,
  list,
]);
