import { describe, expect, test } from "bun:test";
import { failed } from "../../../src/core/errors.ts";
import { onlyBundled, preferBundled } from "../../../src/host/packages/bundled.ts";
import type { PackageManager } from "../../../src/host/packages/types.ts";
import { failure } from "../../plan/failure.ts";

const work = { signal: new AbortController().signal, progress: () => undefined };
const request = { names: ["a", "b"], record: "", fresh: [], repositories: [], answers: [], log: "" };

/** Notes what it is asked for; `error`: what its installations end with. */
function manager(name: string, has: readonly string[], calls: string[], error?: Error): PackageManager {
  return {
    startsServices: true,
    purgeWaits: true,
    repository: () => ({ key: "", path: "", content: "", check: [], requires: [] }),
    fetch: () => Promise.resolve(new Uint8Array()),
    installed: () => Promise.resolve(new Map()),
    isOlder: () => Promise.resolve(false),
    interrupted: () => Promise.resolve(false),
    canGiveUp: () => Promise.resolve(true),
    candidates: (names) =>
      Promise.resolve(new Map(names.filter((one) => has.includes(one)).map((one) => [one, name]))),
    hasBundled: () => Promise.resolve(false),
    download: () => Promise.resolve(void calls.push(`${name} downloads`)),
    install() {
      calls.push(`${name} installs`);
      return error ? Promise.reject(error) : Promise.resolve();
    },
    purge: () => Promise.resolve(),
  };
}

describe("auto", () => {
  const cases: [what: string, bundled: string[], error: Error | undefined, expected: string[]][] = [
    ["a bundle with all", ["a", "b"], undefined, ["bundle installs"]],
    ["a bundle with some", ["a"], undefined, ["other downloads", "other installs"]],
    ["no bundle", [], undefined, ["other downloads", "other installs"]],
    [
      "a bundle that does not go with what is there",
      ["a", "b"],
      failed("packages.conflict", "no"),
      ["bundle installs", "other installs"],
    ],
  ];
  test.each(cases)("%s", async (_, bundled, error, expected) => {
    const calls: string[] = [];
    const chosen = preferBundled(
      manager("bundle", bundled, calls, error),
      manager("other", ["a", "b"], calls),
    );
    await chosen.download(request.names, "", work);
    await chosen.install(request, work);
    expect(calls).toEqual(expected);
    expect(await chosen.hasBundled(request.names)).toBe(bundled.length === 2);
    expect((await chosen.candidates(["a"])).get("a")).toBe(bundled.includes("a") ? "bundle" : "other");
  });

  test("what broke half-way is not tried elsewhere", async () => {
    const calls: string[] = [];
    const broken = failed("packages.failed", "a maintainer script");
    const chosen = preferBundled(
      manager("bundle", ["a", "b"], calls, broken),
      manager("other", ["a", "b"], calls),
    );
    expect(await failure(chosen.install(request, work))).toBe(broken);
    expect(calls).toEqual(["bundle installs"]);
  });
});

test.each(["packages.unknown", "packages.unreachable", "packages.conflict"])("bundle: %s", async (code) => {
  const calls: string[] = [];
  const chosen = onlyBundled(manager("bundle", [], calls, failed(code, "because")));
  await chosen.download(request.names, "", work);
  expect(await failure(chosen.install(request, work))).toMatchObject({
    code: "packages.not_in_bundle",
    message: "no bundle that was imported here has all that a, b needs: because",
  });
  expect(calls).toEqual(["bundle installs"]);
});
