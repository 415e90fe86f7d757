import { describe, expect, test } from "bun:test";
import { connect, createServer, type AddressInfo } from "node:net";
import { Drain, drain, isConnected, type HeldVip } from "../../src/agent/drain.ts";
import type { RunningBalancer } from "../../src/vip/balancer/types.ts";
import { freePort, knock } from "../host/knock.ts";

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

/** A balancer that runs. */
function running(events: string[] = []): () => Promise<RunningBalancer> {
  return () =>
    Promise.resolve({
      stopTaking: () => void events.push("stop"),
      end: async () => void events.push("end"),
    });
}

test("nothing new first, then what is under way ends, then the VIP leaves", async () => {
  const events: string[] = [];
  let looks = 3;
  await drain([vip(events)], running(events), () => {
    events.push("look");
    return Promise.resolve(--looks > 0);
  });
  expect(events).toEqual(["stop", "look", "look", "look", "leave", "end"]);
});

test("a request that takes longer is waited for no more once the VIP has left: its balancer is ended", async () => {
  const events: string[] = [];
  await drain([vip(events)], running(events), () => Promise.resolve(true));
  expect(events).toEqual(["stop", "leave", "end"]);
}, 10_000);

test("connections to other ports of the address are nobody's whom the balancer answers", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port });
  await new Promise<void>((resolve) => client.on("connect", resolve));
  const isBusy = (ports: number[]) => isConnected({ address: "127.0.0.1", ports });
  expect([await isBusy([port]), await isBusy([22, 80]), await isBusy([])]).toEqual([true, false, false]);
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

describe("who knocks while a balancer is told to stop", () => {
  test("is turned away by nobody, and heard by it alone until it is told", async () => {
    const port = await freePort();
    const heard: string[] = [];
    const find = async () => {
      heard.push(await knock(port));
      return running()();
    };
    await drain([{ ...vip([]), ports: [port] }], find, async () => {
      heard.push(await knock(port));
      return false;
    });
    expect([...heard, await knock(port)]).toEqual(["ECONNREFUSED", "nothing", "ECONNREFUSED"]);
  });

  test("is heard by it where it cannot be told", async () => {
    const port = await freePort();
    const gone = { ...(await running()()), stopTaking: () => void process.kill(2 ** 30, "SIGUSR1") };
    const told = drain(
      [{ ...vip([]), ports: [port] }],
      async () => gone,
      () => Promise.resolve(true),
    );
    await expect(told).rejects.toMatchObject({ code: "ESRCH" });
    expect(await knock(port)).toBe("ECONNREFUSED");
  });
});

test("a node that holds nothing has nobody to wait for", async () => {
  const events: string[] = [];
  await drain([vip(events, false)], running(events), () => Promise.resolve(true));
  expect(events).toEqual([]);
});

test("nobody is turned away before keepalived has let it go", async () => {
  const closed: string[] = [];
  const before = vip(closed);
  let looks = 3;
  // As keepalived obeys: some looks after its gate was closed.
  const slow = { ...before, isHere: () => before.isHere() || looks-- > 0 };
  await drain([slow], running(closed), () => Promise.resolve(false));
  expect(looks).toBe(-1);
});

describe("one at a time", () => {
  /** A drain of one VIP that ends when it is told to. */
  function slow(here = true) {
    const events: string[] = [];
    let end = (_error?: Error): void => undefined;
    const balancer = new Drain(
      () => [vip(events, here)],
      () => {
        events.push("begin");
        return new Promise<void>((resolve, reject) => {
          end = (error) => (error ? reject(error) : resolve());
        });
      },
    );
    return { events, balancer, end: (error?: Error) => end(error) };
  }

  test("a balancer that ends because of it asks for another one, and waits for the first", async () => {
    const { events, balancer, end } = slow();
    const moved = balancer.of("minio");
    expect(balancer.isUnderWay).toBe(true);
    const stopped = balancer.all();
    expect(events).toEqual(["begin"]);
    end();
    await Promise.all([moved, stopped]);
    expect(balancer.isUnderWay).toBe(false);
  });

  test("a VIP that is not here, or has no balancer, is given up without", async () => {
    const elsewhere = slow(false);
    await elsewhere.balancer.of("minio");
    const here = slow();
    await here.balancer.of("influxdb");
    expect([...elsewhere.events, ...here.events]).toEqual([]);
  });

  test("a balancer that cannot be told stands in no move's way", async () => {
    const { balancer, end } = slow();
    const moved = balancer.of("minio");
    end(new Error("systemctl: no such unit"));
    await moved;
    expect(balancer.isUnderWay).toBe(false);
  });
});
