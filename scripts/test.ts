/**
 * Everything that must hold: `scripts/test [--unit] [--long] [NAME…]`.
 *   --unit  only what needs no root and no lab
 *   --long  the long variants of tests too (CHIME_LONG=1)
 *   NAME    only steps and test files whose name contains one of these
 * The last line is always `N passed, N failed`; each check and each test counts as one.
 */
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { aptInstall, ensurePrerequisites, labObstacle } from "../test/lab/prerequisites.ts";
import { buildBinary } from "./build.ts";
import { emulator } from "./emulator.ts";
import { bunRuntime } from "./runtime.ts";
import { targets } from "./targets.ts";
import { cacheDirectory } from "./cache.ts";
import { countJunit, failuresIn, type Counts } from "./junit.ts";

const root = resolve(import.meta.dir, "..");
const bun = process.execPath;
const tools = join(root, "node_modules/.bin");

interface Step {
  name: string;
  run(): Promise<Counts>;
  /**
   * What may run beside others, two at a time (on two cores and one disk more of them only slow each other down): labs, and
   * what has none; those that look at all disks of the machine, one after the other, beside what has no lab. Without it, a
   * step runs alone, and first.
   */
  beside?: "labs" | "disks" | "units";
}

const children = new Set<Bun.Subprocess>();
/** Nothing more is started. */
let stopped = false;

type Env = Record<string, string>;

/** Runs a program with its output passed through, so that a long run shows life. */
async function show(argv: string[], env: Env = {}, output = 1): Promise<number> {
  if (stopped) return 130;
  // bun:test reports on stderr; one stream keeps the order of lines.
  const stdio = { stdin: "ignore", stdout: output, stderr: output } as const;
  const child = Bun.spawn(argv, { cwd: root, env: { ...process.env, ...env }, ...stdio });
  children.add(child);
  return child.exited.finally(() => children.delete(child));
}

/** Shows what it printed when it has ended, so that what runs beside another does not mix with it. */
async function showAtEnd(argv: string[], env: Env, path: string): Promise<number> {
  const output = await open(path, "w");
  const code = await show(argv, env, output.fd);
  await output.close();
  process.stdout.write(await readFile(path));
  return code;
}

function check(name: string, argv: string[]): Step {
  return {
    name,
    async run() {
      return (await show(argv)) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    },
  };
}

/** One process per group of files, with a report of its own. A report that is missing is a failure. */
function tests(
  name: string,
  files: string[],
  options: {
    env?: Record<string, string>;
    timeoutMs: number;
    runtime?: readonly string[];
    beside?: Step["beside"];
  },
): Step {
  const { runtime = [bun], env, beside } = options;
  return {
    name,
    ...(beside && { beside }),
    async run() {
      const directory = await mkdtemp(join(tmpdir(), "chime-node-junit-"));
      try {
        const report = join(directory, "junit.xml");
        const reporter = [
          "--reporter=junit",
          `--reporter-outfile=${report}`,
          `--timeout=${options.timeoutMs}`,
        ];
        const argv = [...runtime, "test", ...reporter, ...files.map((file) => `./${file}`)];
        const output = join(directory, "output");
        const code = await (beside ? showAtEnd(argv, env ?? {}, output) : show(argv, env));
        const counts = await countJunit(report);
        // A crash after the last test, or an error outside of any, fails no test in the report.
        if (code !== 0 && counts.failed === 0) counts.failed = 1;
        if (beside && counts.failed > 0) counts.failures = failuresIn(await readFile(output, "utf8"));
        return counts;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

async function filesOf(pattern: string): Promise<string[]> {
  return (await Array.fromAsync(new Bun.Glob(pattern).scan({ cwd: root }))).sort();
}

async function shellScripts(): Promise<string[]> {
  const scripts: string[] = [];
  for (const file of [...(await filesOf("{scripts,.ci,.}/*")), "install.sh", ".ci/run"]) {
    const shebang = await Bun.file(join(root, file))
      .slice(0, 64)
      .text()
      .catch(() => "");
    if (/^#!\/bin\/sh|^# shellcheck shell=/.test(shebang)) scripts.push(file);
  }
  return [...new Set(scripts)];
}

/** Why no lab test can run here, found out (and tools installed) at the first one. */
let obstacle: Promise<string | undefined> | undefined;
async function findObstacle(): Promise<string | undefined> {
  const known = labObstacle();
  if (known !== undefined) return known;
  await mkdir(cacheDirectory(), { recursive: true });
  return ensurePrerequisites(cacheDirectory(), console.log).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

function longEnv(long: boolean): Record<string, string> {
  return long ? { CHIME_LONG: "1" } : {};
}

function labTests(file: string, long: boolean): Step {
  // Whoever looks at all disks of the machine sees those that another one is using just now.
  const beside = /disk/.test(file) ? "disks" : "labs";
  const step = tests(file, [file], { timeoutMs: 600_000, env: longEnv(long), beside });
  return {
    name: file,
    beside,
    async run() {
      const reason = await (obstacle ??= findObstacle());
      return reason === undefined ? step.run() : { passed: 0, failed: 0, skipped: reason };
    },
  };
}

/** Installs a tool that only tests need, where that can be done. */
async function ensureTool(tool: string, ...debianPackages: string[]): Promise<void> {
  if (!Bun.which(tool) && process.getuid?.() === 0 && Bun.which("apt-get")) {
    await aptInstall(debianPackages, console.log);
  }
}

const shell: Step = {
  name: "shell",
  async run() {
    await ensureTool("shellcheck", "shellcheck");
    if (!Bun.which("shellcheck")) return { passed: 0, failed: 0, skipped: "shellcheck is not installed" };
    return check("shell", ["shellcheck", "-x", ...(await shellScripts())]).run();
  },
};

/** install.sh meets busybox's shell and tools on small systems; the binary for arm64 runs in an emulator. */
function binaryTests(files: string[], long: boolean): Step {
  const step = tests("binary", files, { timeoutMs: 60_000, env: longEnv(long), beside: "units" });
  return {
    name: step.name,
    beside: "units",
    async run() {
      await ensureTool("busybox", "busybox-static");
      if (process.arch === "x64") await ensureTool(emulator.program, ...emulator.packages);
      return step.run();
    },
  };
}

/**
 * Rooms without timers, sockets and children (nor models of millions of states), with the runtime for arm64: a child
 * would need the emulator registered in the kernel, and the emulator is a tenth as fast as what time limits expect.
 */
function arm64Tests(files: readonly string[]): Step {
  const name = "arm64 unit";
  const pure = files.filter((file) => /^test\/(spec|plan|host|core|vip|roles)\/(?!.*model)/.test(file));
  return {
    name,
    beside: "units",
    async run() {
      if (process.arch !== "x64") return { passed: 0, failed: 0, skipped: "this machine is not x64" };
      await ensureTool(emulator.program, ...emulator.packages);
      if (!Bun.which(emulator.program))
        return { passed: 0, failed: 0, skipped: "qemu-user is not installed" };
      const runtime = await bunRuntime(root, targets["linux-arm64"].npm);
      return tests(name, pure, {
        timeoutMs: 300_000,
        runtime: [emulator.program, ...emulator.args, runtime],
        beside: "units",
      }).run();
    },
  };
}

const build: Step = {
  name: "build",
  async run() {
    await buildBinary();
    return { passed: 1, failed: 0 };
  },
};

async function plan(flags: { unit: boolean; long: boolean }): Promise<Step[]> {
  const [lab, binary, all] = await Promise.all([
    filesOf("test/lab/**/*.test.ts"),
    filesOf("test/{binary,install}/**/*.test.ts"),
    filesOf("test/**/*.test.ts"),
  ]);
  // In a process of its own: what a parser of tokens is given would be a secret to all tests behind it (core/mask).
  const hostile = all.filter((file) => file.startsWith("test/hostile/"));
  const unit = all.filter((file) => ![...lab, ...binary, ...hostile].includes(file));
  const fast = [
    check("types", [bun, "check"]),
    check("format", [bun, "fmt", "--check"]),
    check("lint", [join(tools, "oxlint"), "--type-aware", "--deny-warnings"]),
    check("unused exports", [join(tools, "knip"), "--no-progress"]),
    shell,
    tests("unit", unit, { timeoutMs: 120_000, beside: "units" }),
    tests("hostile input", hostile, {
      timeoutMs: 600_000,
      env: longEnv(flags.long),
      beside: "units",
    }),
  ];
  if (flags.unit) return fast;
  const slow = lab.map((file) => labTests(file, flags.long));
  const emulated = flags.long ? [arm64Tests(unit)] : [];
  return [...fast, build, binaryTests(binary, flags.long), ...emulated, ...slow];
}

const sizeOf = (file: string): number => Bun.file(join(root, file)).size;

async function main(): Promise<number> {
  const usage = "usage: scripts/test [--unit] [--long] [NAME…]";
  const options = { unit: { type: "boolean" }, long: { type: "boolean" } } as const;
  let given;
  try {
    given = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const { unit = false, long = false } = given.values;
  const steps = (await plan({ unit, long })).filter(
    (step) => given.positionals.length === 0 || given.positionals.some((name) => step.name.includes(name)),
  );
  if (steps.length === 0) {
    console.error(`nothing is called ${given.positionals.join(" or ")}`);
    return 2;
  }
  const total: Counts = { passed: 0, failed: 0 };
  const broken: { name: string; failures: string | undefined }[] = [];
  const skipped: string[] = [];
  const take = async (step: Step): Promise<void> => {
    console.log(`\n── ${step.name}`);
    const start = performance.now();
    const counts = await step.run().catch((error: unknown): Counts => {
      console.error(error instanceof Error ? error.message : String(error));
      return { passed: 0, failed: 1 };
    });
    total.passed += counts.passed;
    total.failed += counts.failed;
    if (counts.failed > 0) broken.push({ name: step.name, failures: counts.failures });
    if (counts.skipped !== undefined) skipped.push(`${step.name} (${counts.skipped})`);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const nothing = counts.passed === 0 && counts.skipped !== undefined;
    const result = counts.failed > 0 ? "FAILED" : nothing ? "skipped" : "ok";
    console.log(`── ${step.name}: ${result} (${seconds} s)`);
  };
  const those = (beside: Step["beside"]) => steps.filter((one) => one.beside === beside);
  const inTurn = async (waiting: Step[]): Promise<void> => {
    for (let step = waiting.shift(); step; step = waiting.shift()) await take(step);
  };
  await inTurn(those(undefined));
  const units = those("units");
  await Promise.all([inTurn(units), inTurn(those("disks")).then(() => inTurn(units))]);
  // Long files take long: begun last, one of them would be waited for alone.
  const labs = those("labs").toSorted((a, b) => sizeOf(b.name) - sizeOf(a.name));
  await Promise.all([inTurn(labs), inTurn(labs)]);
  for (const line of skipped) console.log(`skipped: ${line}`);
  // Again, for a long log is often kept by its end alone.
  for (const { name, failures } of broken)
    if (failures) console.log(`\n── ${name}, what failed:\n${failures}`);
  if (broken.length > 0) console.log(`\nfailed: ${broken.map(({ name }) => name).join(", ")}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    stopped = true;
    // The running tests take their labs down before they end.
    for (const child of children) child.kill(signal);
    void Promise.all([...children].map((child) => child.exited)).then(() => process.exit(130));
  });
}

process.exitCode = await main();
