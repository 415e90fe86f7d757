import { initCluster } from "../../operations/init.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";
import { renderInit } from "../render-init.ts";
import { sharedArgs } from "../shared-args.ts";

export const init = defineVerb({
  name: "init",
  summary: "create a cluster on this node and print the line that lets others join",
  example: "chime-node init --vip mysql=192.168.231.30 --set roles.mysql.engine=mariadb",
  args: {
    config: { type: "string", hint: "FILE", summary: "take this cluster.toml instead of writing one" },
    name: sharedArgs.name,
    address: {
      type: "string",
      hint: "IP",
      summary: "this node's address; default: the one in the VIP's subnet",
    },
    vip: { type: "list", hint: "ROLE=IP[/P]", summary: "floating address of a role" },
    set: { type: "list", hint: "KEY=VALUE", summary: "a key of cluster.toml, dotted" },
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "take these roles at once, as join would" },
    ignore: sharedArgs.ignore,
  },
  async run(context) {
    const { args, out } = context;
    const made = await initCluster({ ...args, binary: process.execPath }, operationIo(context));
    out.result(made, renderInit(made, args.role));
  },
});
