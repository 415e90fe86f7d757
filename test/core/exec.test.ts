import { expect, test } from "bun:test";
import { exec, pipe } from "../../src/core/exec.ts";

test("passes stdin and collects both streams", async () => {
  const result = await exec(["sh", "-c", "cat; echo oops >&2"], { stdin: "in" });
  expect(result).toEqual({ code: 0, stdout: "in", stderr: "oops\n", timedOut: false });
});

test("a non-zero exit is an error that names the program and its last words", async () => {
  const run = exec(["sh", "-c", "echo first; echo last >&2; exit 3"]);
  await expect(run).rejects.toMatchObject({ code: "exec.failed", message: expect.stringContaining("last") });
});

test("a time-out ends grandchildren that hold stdout, too", async () => {
  const started = performance.now();
  const result = await exec(["sh", "-c", "sleep 60 & sleep 60"], { timeoutMs: 100, ok: "any" });
  expect(result.timedOut).toBe(true);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test("an abort ends the child and rejects with its reason", async () => {
  const abort = new AbortController();
  const run = exec(["sleep", "60"], { signal: abort.signal });
  abort.abort(new Error("stop it"));
  await expect(run).rejects.toThrow("stop it");
});

test("nothing of our environment reaches a child", async () => {
  process.env["CHIME_TEST_LEAK"] = "leaked";
  const { stdout } = await exec(["env"]);
  delete process.env["CHIME_TEST_LEAK"];
  expect(stdout).not.toContain("leaked");
  expect(stdout).toContain("LC_ALL=C.UTF-8");
});

test("a program that is not there says so", async () => {
  await expect(exec(["no-such-program"])).rejects.toMatchObject({ code: "exec.missing" });
});

test("a pipe carries more than memory should hold, piece by piece, and tells how it ended", async () => {
  const child = pipe(["sh", "-c", "cat; echo last words >&2; exit 3"]);
  const [piece, pieces] = [Buffer.alloc(1 << 20, "x"), 8];
  let bytes = 0;
  const read = (async () => {
    for (let got = await child.read(); got; got = await child.read()) bytes += got.length;
  })();
  for (let i = 0; i < pieces; i += 1) await child.write(piece);
  await child.end();
  await read;
  expect(bytes).toBe(pieces * piece.length);
  expect(await child.ended).toEqual({ code: 3, stderr: "last words\n" });
});

test("a pipe's other end that is gone is an error, not silence", async () => {
  const child = pipe(["sh", "-c", "exec <&-; exit 1"]);
  await child.ended;
  const write = async () => {
    for (let i = 0; i < 4; i += 1) await child.write(Buffer.alloc(1 << 20));
  };
  await expect(write()).rejects.toMatchObject({ code: "exec.ended" });
});

test("a killed pipe takes its children along", async () => {
  const child = pipe(["sh", "-c", "sleep 60 & sleep 60"]);
  child.kill();
  expect((await child.ended).code).not.toBe(0);
  expect(await child.read()).toBeUndefined();
});
