import { expect, test } from "bun:test";
import { Isolation } from "../../../../src/roles/influxdb/guard/isolation.ts";

/** A network: what its gateway answers next (the last word for good), and how often it was asked. */
function network(...answers: boolean[]) {
  const state = { now: 0, asked: 0, answers };
  const ask = () => {
    state.asked++;
    return Promise.resolve((state.answers.length > 1 ? state.answers.shift() : state.answers[0]) ?? false);
  };
  return { state, isolation: new Isolation({ now: () => state.now }, ask) };
}

/** Looks each second, as the guard does. */
async function heardFor(seconds: number, { state, isolation }: ReturnType<typeof network>) {
  for (let i = 0; i < seconds; i++) {
    await isolation.look(false);
    await Promise.resolve();
    state.now += 1_000;
  }
}

test("cut off is who hears neither the other node nor the gateway that has answered", async () => {
  const { state, isolation } = network(true);
  await isolation.look(false);
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(false);
  state.answers = [false];
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(true);
  await isolation.look(false);
  expect(isolation.isCutOff).toBe(false);
});

test("a network whose gateway never answered cuts nobody off", async () => {
  const { isolation } = network(false);
  await isolation.look(true);
  expect(isolation.isCutOff).toBe(false);
});

test("one question that was lost on the way is asked again at once", async () => {
  const { state, isolation } = network(true, false, true);
  await isolation.look(true);
  await isolation.look(true);
  expect([isolation.isCutOff, state.asked]).toEqual([false, 3]);
});

test("a gateway that does not answer at the start is asked again within seconds, and one that does once a minute", async () => {
  const net = network(false, true);
  await heardFor(6, net);
  expect(net.state.asked).toBe(2);
  await heardFor(60, net);
  expect(net.state.asked).toBe(3);
  net.state.answers = [false];
  await net.isolation.look(true);
  expect(net.isolation.isCutOff).toBe(true);
});

test("a gateway that was taken away while the other node was heard cuts nobody off later", async () => {
  const net = network(true);
  await heardFor(10, net);
  net.state.answers = [false];
  await heardFor(240, net);
  await net.isolation.look(true);
  expect(net.isolation.isCutOff).toBe(true);
  await heardFor(120, net);
  await net.isolation.look(true);
  expect(net.isolation.isCutOff).toBe(false);
});

test("nobody waits for a gateway while the other node is heard", async () => {
  const isolation = new Isolation({ now: () => 0 }, () => new Promise(() => undefined));
  await isolation.look(false);
  expect(isolation.isCutOff).toBe(false);
});
