import { describe, expect, test } from "bun:test";
import { readProbe } from "../../../src/roles/mysql/engine/mariadb.ts";
import { portHolder } from "../../../src/roles/mysql/checks.ts";
import { readUnit } from "../../../src/roles/mysql/guard/unit.ts";

const status = (values: Record<string, string>) =>
  Object.entries(values).map(([Variable_name, Value]) => ({ Variable_name, Value }));

describe("a probe's answers, as MariaDB 10.11 gives them", () => {
  test("a protected writer", () => {
    const state = readProbe({
      variables: { read_only: 0, position: "0-1-8", enabled: 1, strict: 1 },
      status: status({
        Rpl_semi_sync_master_status: "ON",
        Rpl_semi_sync_master_clients: "1",
        Rpl_semi_sync_master_wait_sessions: "2",
        Rpl_semi_sync_master_yes_tx: "77",
        Rpl_semi_sync_slave_status: "OFF",
      }),
      replica: undefined,
    });
    expect(state).toEqual({
      readOnly: false,
      position: "0-1-8",
      source: { enabled: true, strict: true, active: true, replicas: 1, waiting: 2, acknowledged: 77 },
      replica: {
        from: null,
        receiver: "stopped",
        applier: false,
        received: "",
        reading: ":",
        pending: false,
        semiSync: false,
        error: null,
        lag: null,
      },
    });
  });

  test("a replica that has received more than it has applied", () => {
    const { replica } = readProbe({
      variables: { read_only: 1, position: "0-1-8", enabled: 0, strict: 1 },
      status: status({ Rpl_semi_sync_slave_status: "ON" }),
      replica: {
        Master_Host: "10.0.0.1",
        Slave_IO_Running: "Yes",
        Slave_SQL_Running: "Yes",
        Gtid_IO_Pos: "0-1-9",
        Master_Log_File: "chime-bin.000002",
        Read_Master_Log_Pos: 1234,
        Seconds_Behind_Master: 0,
        Last_IO_Error: "",
        Last_SQL_Error: "",
      },
    });
    expect(replica).toMatchObject({
      reading: "chime-bin.000002:1234",
      receiver: "running",
      applier: true,
      pending: true,
      semiSync: true,
      lag: 0,
      error: null,
    });
  });

  test.each([
    ["Waiting for master to send event", "running"],
    ["Ending IO thread", "stopped"],
    ["Waiting for slave mutex on exit", "stopped"],
  ])("a receiver's thread that runs in the state %p: %s", (state, receiver) => {
    const replica = { Master_Host: "10.0.0.1", Slave_IO_Running: "Yes", Slave_IO_State: state };
    expect(readProbe({ variables: {}, status: [], replica }).replica.receiver).toBe(
      receiver as "running" | "stopped",
    );
  });

  test("a stopped applier tells why, in one line", () => {
    const { replica } = readProbe({
      variables: { read_only: 1, position: "" },
      status: [],
      replica: {
        Master_Host: "10.0.0.1",
        Slave_IO_Running: "Connecting",
        Slave_SQL_Running: "No",
        Gtid_IO_Pos: "",
        Seconds_Behind_Master: null,
        Last_SQL_Error: "Could not execute\n Write_rows",
      },
    });
    expect(replica).toMatchObject({
      receiver: "connecting",
      applier: false,
      lag: null,
      error: "Could not execute Write_rows",
    });
  });
});

describe("why the server is down, by its unit", () => {
  const unit = (active: string, hasRun: boolean, job = "0") =>
    readUnit(`ActiveState=${active}\nJob=${job}\n`, hasRun);
  test("killed", () => expect(unit("failed", true)).toBe("startable"));
  test("never ran since the boot", () => expect(unit("inactive", false)).toBe("startable"));
  test("stopped by hand", () => expect(unit("inactive", true)).toBe("stopped"));
  test("on its way", () => expect(unit("activating", false)).toBe("starting"));
  test("a start is queued", () => expect(unit("inactive", false, "117")).toBe("starting"));
});

test("who holds a port, by ss", () => {
  const line = 'LISTEN 0 80 0.0.0.0:3306 0.0.0.0:* users:(("mysqld",pid=812,fd=21))';
  expect(portHolder(`${line}\n`)).toEqual({ program: "mysqld", pid: "812" });
  expect(portHolder("LISTEN 0 80 0.0.0.0:3306 0.0.0.0:*\n")).toEqual({ program: "?", pid: "?" });
  expect(portHolder("\n")).toBeUndefined();
});
