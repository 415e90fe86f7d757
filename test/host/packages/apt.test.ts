import { expect, test } from "bun:test";
import { packageManager } from "../../../src/host/packages/index.ts";

const apt = packageManager("debian");

// Whatever is asked of no packages must not be done to all: dpkg-query without names lists everything.
test("no names are no packages", async () => {
  expect((await apt.installed([])).size).toBe(0);
});

test("installed tells versions of what is installed, and nothing of what is not", async () => {
  const found = await apt.installed(["dpkg", "no-such-package-at-all"]);
  expect([...found.keys()]).toEqual(["dpkg"]);
  expect(found.get("dpkg")).toMatch(/^\d/);
});
