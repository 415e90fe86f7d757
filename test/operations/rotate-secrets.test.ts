import { expect, test } from "bun:test";
import type { RoleName } from "../../src/cluster/types.ts";
import type { Io } from "../../src/operations/io.ts";
import { rotateSecrets } from "../../src/operations/rotate-secrets.ts";

const nobody: Io = {
  signal: new AbortController().signal,
  progress: () => undefined,
  note: () => undefined,
  warn: () => undefined,
  confirm: () => Promise.reject(new Error("nothing is to be asked")),
};

test.each<[RoleName, boolean, message: string, remedy: string]>([
  [
    "influxdb",
    false,
    "the tokens of influxdb are not changed by this: InfluxDB makes each",
    '"Other tokens"',
  ],
  ["influxdb", true, "the tokens of influxdb are not changed by this: InfluxDB makes each", '"Other tokens"'],
  ["mysql", false, "mysql has no password that is changed by this", "--role minio"],
])(
  "what cannot be changed is refused with what helps: %s, of applications: %p",
  async (role, application, message, remedy) => {
    const refused = await rotateSecrets({ role, application, timeout: 1_000 }, nobody).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({
      code: "secrets.nothing_to_rotate",
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
  },
);
