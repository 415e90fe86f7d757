import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { compile } from "../../scripts/compile.ts";

const source = resolve(import.meta.dir, "../../src");

/** Takes the place of the verbs: tells what the process can be led astray with. */
const probe = `
import { SQL } from "bun";
export async function main([what, url]: string[]) {
  const answer = (work: Promise<Response>) => work.then((r) => r.text()).catch((e) => "refused: " + e.code);
  if (what === "--version") console.log("probe");
  if (what === "environment") console.log(JSON.stringify(process.env));
  if (what === "fetch") console.log(await answer(fetch(url!)));
  if (what === "sql") {
    const { username, password, database, hostname, port } = new SQL({ adapter: "mysql", password: "" }).options as any;
    console.log(JSON.stringify({ username, password, database, hostname, port }));
  }
  if (what === "wait") {
    console.log("waiting");
    await Bun.sleep(20_000);
  }
}
`;

/**
 * Two programs with the probe inside. `hardened` has the product's own entry and is built exactly as the product;
 * `plain` is what `bun build --compile` gives. An attack that does not work on `plain` would prove nothing.
 */
export async function buildProbes(directory: string): Promise<{ hardened: string; plain: string }> {
  const src = join(directory, "src");
  await mkdir(join(src, "cli"), { recursive: true });
  for (const file of ["main.ts", "cli/environment.ts"]) await cp(join(source, file), join(src, file));
  await cp(join(source, "../package.json"), join(directory, "package.json"));
  await writeFile(join(src, "cli/run.ts"), probe);
  await writeFile(
    join(src, "plain.ts"),
    `import { main } from "./cli/run.ts";\nawait main(process.argv.slice(2));\n`,
  );
  const hardened = join(directory, "hardened");
  const plain = join(directory, "plain");
  await compile(join(src, "main.ts"), hardened);
  const build = Bun.spawnSync([
    process.execPath,
    "build",
    join(src, "plain.ts"),
    "--compile",
    "--outfile",
    plain,
  ]);
  if (!build.success) throw new Error(build.stderr.toString());
  await chmod(plain, 0o755);
  return { hardened, plain };
}

/** Files with which a working directory tries to take over what runs in it; each would write `marker`. */
export async function hostileDirectory(directory: string, marker: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const evil = `require("node:fs").appendFileSync(${JSON.stringify(marker)}, "evil\\n");`;
  const files: Record<string, string> = {
    "evil.js": evil,
    "bunfig.toml": 'preload = ["./evil.js"]\n',
    ".env": "CHIME_TOKEN=chime1.evil\nLAB_EVIL=from-dotenv\n",
    "package.json":
      '{"name":"evil","type":"commonjs","imports":{"#*":"./evil.js"},"bun":{"preload":"./evil.js"}}',
    "tsconfig.json": '{"compilerOptions":{"paths":{"*":["./evil.js"]}}}',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
}
