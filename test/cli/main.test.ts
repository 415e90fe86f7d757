import { expect, test } from "bun:test";
import { join } from "node:path";

const program = join(import.meta.dir, "main.ts");

function start(...argv: string[]) {
  return Bun.spawn([process.execPath, program, ...argv], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
}

/** Reads until `text` was printed; what else came is in the returned text. */
async function until(stream: ReadableStream<Uint8Array>, text: string): Promise<() => Promise<string>> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let seen = "";
  const read = async () => {
    const { value, done } = await reader.read();
    seen += decoder.decode(value, { stream: true });
    return !done;
  };
  while (!seen.includes(text)) if (!(await read())) throw new Error(`ended with ${seen}`);
  return async () => {
    while (await read());
    return seen;
  };
}

test("a megabyte goes through a pipe whole, to a slow reader too", async () => {
  const child = start("flood");
  await Bun.sleep(300);
  expect((await child.stdout.text()).length).toBe(1_000_001);
  expect(await child.exited).toBe(0);
});

test("a reader that goes away is no failure and no noise", async () => {
  const child = Bun.spawn(
    ["sh", "-c", `"$1" "$2" flood | head -c 10; exit 0`, "sh", process.execPath, program],
    {
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  expect(await child.stdout.text()).toBe("xxxxxxxxxx");
  expect(await child.stderr.text()).toBe("");
});

test("a verb that goes on until it is told ends when its reader goes away", async () => {
  const script = `{ "$1" "$2" watch; echo "[$?]" >&2; } | head -n 1`;
  const child = Bun.spawn(["sh", "-c", script, "sh", process.execPath, program], {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stdout.text()).toBe("again\n");
  expect(await child.stderr.text()).toBe("[130]\n");
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s lets the verb go and ends with 130 and what to do",
  async (signal) => {
    const child = start("wait");
    const rest = await until(child.stderr, "waiting for the test");
    child.kill(signal);
    expect(await child.exited).toBe(130);
    expect(await rest()).toBe(
      "waiting for the test…\nerror: interrupted\n  → run the same command again: it finishes what is left\n",
    );
  },
);

test("a second signal ends a verb that does not let go", async () => {
  const child = start("deaf");
  await until(child.stderr, "not listening");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  await child.exited;
  expect(["SIGINT", "SIGTERM"]).toContain(child.signalCode as string);
});
