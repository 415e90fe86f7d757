import { expect, test } from "bun:test";
import { connectionText, connectionTo } from "../../src/operations/connection.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { failure } from "../plan/failure.ts";
import { context, node1, node2 } from "../vip/fixtures.ts";

const spec = parseSpec('[roles.mysql]\nvip = "10.0.0.30"\n', "cluster.toml");
const secrets = { mysql: { replication: "r", application: "a" } };
const witness = { ...node2, name: "node3", roles: ["witness"] };

test("how applications connect, and nothing for a role without a service", () => {
  expect(connectionTo(context({ spec, secrets }), "mysql")).toMatchObject({
    host: "10.0.0.30",
    password: "a",
  });
  expect(connectionTo(context({ spec, secrets }), "witness")).toEqual({});
});

test("a witness, which has no passwords, sends to those who have instead of showing an empty one", async () => {
  const there = context({ spec, self: witness, members: [node1, node2, witness] });
  const asked = (async () => connectionTo(there, "mysql"))();
  expect(await failure(asked)).toMatchObject({
    code: "secrets.not_here",
    exit: 3,
    remedy: "run the same command on node1 or node2",
  });
});

test("a role that the cluster does not have is refused by name, with those that it has", async () => {
  const asked = (async () => connectionTo(context({ spec, secrets: { ...secrets, minio: {} } }), "minio"))();
  expect(await failure(asked)).toMatchObject({
    code: "secrets.no_role",
    exit: 3,
    remedy: "--role with mysql",
  });
});

test("what this node does not know is no empty line", () => {
  expect(connectionText({ token: "t", read_token: null }, "influxdb")).toBe(
    "token: t\nread_token: not known here: run this on a node that is ready for influxdb",
  );
});
