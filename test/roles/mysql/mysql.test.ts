import { describe, expect, test } from "bun:test";
import { inLog, mysql, readMysqlProbe } from "../../../src/roles/mysql/engine/mysql.ts";

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const status = (values: Record<string, string>) =>
  Object.entries(values).map(([Variable_name, Value]) => ({ Variable_name, Value }));

describe("a probe's answers, as MySQL 9.7 gives them", () => {
  test("a protected writer", () => {
    const state = readMysqlProbe({
      variables: { read_only: 0, position: `${uuid.toUpperCase()}:1-8`, enabled: 1, strict: 1 },
      status: status({
        Rpl_semi_sync_source_status: "ON",
        Rpl_semi_sync_source_clients: "1",
        Rpl_semi_sync_source_wait_sessions: "2",
        Rpl_semi_sync_source_yes_tx: "77",
        Rpl_semi_sync_replica_status: "OFF",
      }),
      replica: undefined,
    });
    expect(state).toEqual({
      readOnly: false,
      position: `${uuid}:1-8`,
      source: { enabled: true, strict: true, active: true, replicas: 1, waiting: 2, acknowledged: 77 },
      replica: {
        from: null,
        receiver: "stopped",
        applier: false,
        received: `${uuid}:1-8`,
        reading: ":",
        pending: false,
        semiSync: false,
        error: null,
        lag: null,
      },
    });
  });

  const replica = (row: Record<string, unknown>) =>
    readMysqlProbe({
      variables: { read_only: 1, position: `${uuid}:1-8`, enabled: 0, strict: 0 },
      status: [],
      replica: {
        Source_Host: "10.0.0.1",
        Replica_IO_Running: "Yes",
        Replica_SQL_Running: "Yes",
        Retrieved_Gtid_Set: `${uuid}:7-9`,
        Seconds_Behind_Source: 3,
        Last_IO_Error: "",
        Last_SQL_Error: "",
        ...row,
      },
    }).replica;

  test("a replica that has received more than it has applied: what its relay log was emptied of counts", () => {
    expect(replica({})).toMatchObject({
      from: "10.0.0.1",
      receiver: "running",
      applier: true,
      received: `${uuid}:1-9`,
      pending: true,
      lag: 3,
      error: null,
    });
  });

  test("its source is away; its applier stopped with an error", () => {
    const connecting = replica({ Replica_IO_Running: "Connecting", Seconds_Behind_Source: null });
    expect(connecting).toMatchObject({ receiver: "connecting", lag: null });
    const stopped = replica({ Replica_SQL_Running: "No", Last_SQL_Error: "Duplicate\n entry" });
    expect(stopped).toMatchObject({ applier: false, error: "Duplicate entry" });
  });
});

test("a commit that waits for the replica is in the log, though not executed: the replica may hold it already", () => {
  const other = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
  expect(inLog(`${uuid}:9#31:11#4,\n${other}:2#7`, `${uuid}:1-8,\n${other}:1`)).toBe(
    `${uuid}:1-9:11,${other}:1-2`,
  );
  expect(inLog("", `${uuid}:1-8`)).toBe(`${uuid}:1-8`);
});

test("positions are compared as sets: a hole below the last number shows", () => {
  expect(mysql.reaches(`${uuid}:1-9`, `${uuid}:1-9`)).toBe(true);
  expect(mysql.reaches(`${uuid}:1-7:9`, `${uuid}:1-9`)).toBe(false);
  expect(mysql.extras(`${uuid}:1-9`, `${uuid}:1-7:9`)).toEqual([`${uuid}:8`]);
});
