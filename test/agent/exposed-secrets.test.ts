import { expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exposedSecrets } from "../../src/agent/exposed-secrets.ts";

test("secrets that others can get at are told with how to mend it, and one that is not there is not", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-exposed-"));
  try {
    const [secrets, pki] = [join(directory, "secrets.toml"), join(directory, "pki")];
    await writeFile(secrets, "", { mode: 0o600 });
    await mkdir(pki, { mode: 0o700 });
    const files = [
      { path: secrets, mode: "600" },
      { path: pki, mode: "700" },
      { path: join(directory, "none"), mode: "600" },
    ];
    expect(await exposedSecrets("node1", files)).toEqual([]);
    await chmod(secrets, 0o644);
    expect(await exposedSecrets("node1", files)).toMatchObject([
      {
        code: "secrets.exposed",
        severity: "warning",
        node: "node1",
        message: `other users of node1 can get at ${secrets}: its mode is 644`,
        remedy: expect.stringContaining(`chmod 600 ${secrets}`),
      },
    ]);
    await chmod(secrets, 0o600);
    await chmod(pki, 0o710);
    expect((await exposedSecrets("node1", files)).map(({ message }) => message)).toEqual([
      `other users of node1 can get at ${pki}: its mode is 710`,
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
