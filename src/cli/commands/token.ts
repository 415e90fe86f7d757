import { callAgent } from "../../agent/socket.ts";
import type { TokenView } from "../../cluster/tokens.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { joinLine, type CreatedToken } from "../../operations/tokens.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { table } from "../table.ts";

const create = defineVerb({
  name: "create",
  summary: "make a token that lets nodes join",
  example: "chime-node token create --ttl 1h --uses 1 --role mysql",
  args: {
    ttl: { type: "duration", summary: "how long it is good for", default: "24h" },
    uses: { type: "count", hint: "N", summary: "how many nodes may join with it; default: any number" },
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "the only roles it gives; default: any" },
  },
  async run({ args, out }) {
    requireRoot();
    await requireIdentity();
    const { ttl, uses, role } = args;
    const made = await callAgent<CreatedToken>("token.create", {
      ttlMs: ttl,
      uses: uses ?? null,
      roles: role,
    });
    out.result(made, joinLine(made.token, role));
  },
});

const list = defineVerb({
  name: "list",
  summary: "list tokens, never their secrets",
  example: "chime-node token list",
  args: {},
  async run({ out }) {
    requireRoot();
    await requireIdentity();
    const tokens = await callAgent<TokenView[]>("token.list");
    const rows = tokens.map((t) => [
      t.id,
      t.state,
      new Date(t.expiry * 1000).toISOString(),
      t.uses === 0 ? `${t.used_by.length}` : `${t.used_by.length} of ${t.uses}`,
      t.roles.join(",") || "any",
    ]);
    out.result(tokens, table([["ID", "STATE", "EXPIRES", "USES", "ROLES"], ...rows]));
  },
});

const revoke = defineVerb({
  name: "revoke",
  summary: "make a token worthless",
  example: "chime-node token revoke 3f9c2ab1",
  args: { id: { type: "positional", hint: "ID", summary: "from token list", required: true } },
  async run({ args, out }) {
    requireRoot();
    await requireIdentity();
    await callAgent("token.revoke", { id: args.id });
    out.result({ id: args.id, revoked: true }, `token ${args.id} is revoked`);
  },
});

export const token = defineGroup("token", "tokens that let nodes join", [create, list, revoke]);
