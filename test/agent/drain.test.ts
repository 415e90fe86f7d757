import { expect, test } from "bun:test";
import { drain, type HeldVip } from "../../src/agent/drain.ts";

/** A VIP whose balancer has requests under way for so many looks, and leaves when it is told to. */
function vip(events: string[], here = true): HeldVip {
  return {
    role: "minio",
    address: "127.0.0.1",
    ports: [],
    isHere: () => here,
    leave() {
      events.push("leave");
      here = false;
    },
  };
}

test("nothing new first, then what is under way ends, then the VIP leaves", async () => {
  const events: string[] = [];
  let looks = 3;
  await drain(
    [vip(events)],
    () => Promise.resolve(void events.push("stop")),
    () => {
      events.push("look");
      return Promise.resolve(--looks > 0);
    },
  );
  expect(events).toEqual(["stop", "look", "look", "look", "leave"]);
});

test("a node that holds nothing has nobody to wait for", async () => {
  const events: string[] = [];
  await drain(
    [vip(events, false)],
    () => Promise.resolve(void events.push("stop")),
    () => Promise.resolve(true),
  );
  expect(events).toEqual([]);
});

test("nobody is turned away before keepalived has let it go", async () => {
  const closed: string[] = [];
  const before = vip(closed);
  let looks = 3;
  // As keepalived obeys: some looks after its gate was closed.
  const slow = { ...before, isHere: () => before.isHere() || looks-- > 0 };
  await drain(
    [slow],
    () => Promise.resolve(),
    () => Promise.resolve(false),
  );
  expect(looks).toBe(-1);
});
