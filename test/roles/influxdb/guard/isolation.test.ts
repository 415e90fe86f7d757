import { expect, test } from "bun:test";
import { Isolation } from "../../../../src/roles/influxdb/guard/isolation.ts";

const clock = { now: () => 0 };

test("cut off is who hears neither the other node nor the gateway that has answered", async () => {
  let answers = true;
  const isolation = new Isolation(clock, () => Promise.resolve(answers));
  await isolation.look(false);
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(false);
  answers = false;
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(true);
  await isolation.look(false);
  expect(isolation.isCutOff).toBe(false);
});

test("a network whose gateway never answered cuts nobody off", async () => {
  const isolation = new Isolation(clock, () => Promise.resolve(false));
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(false);
});
