import { afterAll, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchVips } from "../../src/agent/vips.ts";
import { until } from "../vip/until.ts";

const base = mkdtempSync(join(tmpdir(), "chime-vips-"));
afterAll(() => rmSync(base, { recursive: true }));

test("what keepalived says while the agent starts is known at once, and told when everybody is there who acts on it", async () => {
  const path = join(base, "notify.fifo");
  const told: string[] = [];
  const onState = (role: string, state: string) => void told.push(`${role} ${state}`);
  const never = () => Promise.reject(new Error("nothing is closed"));
  const vips = await watchVips({ onState, onDisobeyed: never, mayOpen: () => false }, path);
  const keepalived = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const say = async (state: "MASTER" | "BACKUP") => {
    writeSync(keepalived, `INSTANCE "influxdb" ${state} 150\n`);
    await until(() => vips.state("influxdb") === state);
  };
  await say("BACKUP");
  await say("MASTER");
  expect(told).toEqual([]);
  vips.start();
  expect(told).toEqual(["influxdb MASTER"]);
  await say("BACKUP");
  expect(told).toEqual(["influxdb MASTER", "influxdb BACKUP"]);
  await vips.close();
  closeSync(keepalived);
});
