import { afterAll, expect, test } from "bun:test";
import { systemClock } from "../../../../src/core/clock.ts";
import type { Server } from "../../../../src/roles/influxdb/client.ts";
import { atPace } from "../../../../src/roles/influxdb/gap/felt.ts";
import { inTurn } from "../../../../src/roles/influxdb/gap/pace.ts";
import { until } from "../../../vip/until.ts";

let writes = 0;
const http = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch() {
    writes++;
    return new Response(null, { status: 204 });
  },
});
afterAll(() => http.stop(true));
const server: Server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime", ca: undefined };

test.each([1, 3, 10])(
  "what is ended after %d writes of its own, before it has begun, ends at once",
  async (most) => {
    const halt = new AbortController();
    const before = writes;
    const limits = { timeoutMs: 5_000, signal: halt.signal };
    let begun = false;
    const work = atPace([server], systemClock, limits, (care) =>
      inTurn(care, "counting", 1, () => Promise.resolve((begun = true))),
    );
    const ended = work.then(
      () => "done",
      (error: Error) => error.name,
    );
    await until(() => writes >= before + most);
    // Between two writes.
    await Bun.sleep(10);
    halt.abort();
    expect([await Promise.race([ended, Bun.sleep(2_000)]), begun]).toEqual(["AbortError", false]);
  },
);

test("what is not ended begins once it is known how long a write takes", async () => {
  const before = writes;
  const work = atPace([server], systemClock, { timeoutMs: 5_000 }, (care) =>
    inTurn(care, "counting", 1, () => Promise.resolve(writes - before)),
  );
  expect(await work).toBeGreaterThanOrEqual(20);
});
