import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../../src/core/exec.ts";
import { installing, startPolicy, startPreset } from "../../../src/host/packages/start-policy.ts";

/** As a shell runs it, in the ways in which invoke-rc.d and deb-systemd-invoke do. */
describe("the policy while our packages are installed", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "start-policy-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const put = async (name: string, content: string) => {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o755 });
    return path;
  };
  const ask = async (policy: string, words: readonly string[], env: Record<string, string>) => {
    const { code, stdout, stderr } = await exec([policy, ...words], { ok: "any", env });
    expect(stderr).toBe("");
    return stdout ? [code, stdout] : code;
  };
  const units = ["keepalived.service", "haproxy.service"];

  test.each([
    ["our installation", installing, ["keepalived.service", "start"], 101],
    ["our installation, by the script's name", installing, ["haproxy", "start", "5"], 101],
    ["our installation, quietly", installing, ["--quiet", "haproxy", "(start)", "5"], 101],
    ["our installation about another service", installing, ["dbus.service", "start"], 0],
    ["somebody else", {}, ["keepalived.service", "start"], 0],
  ])("%s", async (_, env, words, answer) => {
    expect(await ask(await put("policy-rc.d", startPolicy(units)), words, env)).toBe(answer);
  });

  test("packages without a service are denied nothing", async () => {
    expect(await ask(await put("policy-rc.d", startPolicy([])), ["dbus.service", "start"], installing)).toBe(
      0,
    );
  });

  test.each([
    ["our installation", installing, ["keepalived.service", "start"], 101],
    ["our installation about another service", installing, ["dbus", "start"], [106, "dbus start\n"]],
    ["somebody else", {}, ["--quiet", "keepalived", "start stop"], [106, "--quiet keepalived start stop\n"]],
  ])("where another one was there before: %s", async (_, env, words, answer) => {
    const earlier = await put("the administrator's", '#!/bin/sh\necho "$@"\nexit 106\n');
    expect(await ask(await put("policy-rc.d", startPolicy(units, earlier)), words, env)).toEqual(answer);
  });

  test("one that was there before and is gone denies nothing, as if there were none", async () => {
    const policy = await put("policy-rc.d", startPolicy(units, join(directory, "gone")));
    expect(await ask(policy, ["keepalived.service", "start"], {})).toBe(0);
  });
});

test("the preset names each unit, and no other", () => {
  const lines = startPreset(["keepalived.service", "haproxy.service"]).split("\n");
  expect(lines.filter((line) => !line.startsWith("#"))).toEqual([
    "disable keepalived.service",
    "disable haproxy.service",
    "",
  ]);
});
