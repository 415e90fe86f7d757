import { describe, expect, test } from "bun:test";
import { parseShow, pathUnit, telling } from "../../src/host/systemd.ts";

test("parseShow reads what systemctl show prints", () => {
  expect(
    parseShow(`LoadState=loaded
ActiveState=active
Job=1402
UnitFileState=enabled
FragmentPath=/etc/systemd/system/x.service
InvocationID=7f1f0d9e4e5c4a1f9c2d3e4f5a6b7c8d
NeedDaemonReload=no
MainPID=4711
NRestarts=3
ExecMainStartTimestamp=Sat 2026-11-21 09:18:58 UTC
`),
  ).toEqual({
    load: "loaded",
    active: "active",
    isPending: true,
    file: "enabled",
    fragment: "/etc/systemd/system/x.service",
    invocation: "7f1f0d9e4e5c4a1f9c2d3e4f5a6b7c8d",
    needDaemonReload: false,
    runs: true,
    restarts: 3,
    startedAt: Date.UTC(2026, 10, 21, 9, 18, 58),
  });
});

test.each([
  ["to the hundredth of a second", 5_300.25, 730.25],
  ["where the clock was set since then, to the second", 9_300, 0],
  ["where the machine slept since then, to the second", 4_000, 0],
  ["where it may have been the second before, to the second", 4_560, 0],
])("when a service was started is known %s", (_, uptime, ms) => {
  const second = Date.UTC(2026, 10, 21, 9, 18, 58);
  const text = `ExecMainStartTimestamp=Sat 2026-11-21 09:18:58 UTC\nExecMainStartTimestampMonotonic=${uptime * 1000}`;
  expect(parseShow(text, { wall: second + 60_450, uptime: 65_000 }).startedAt).toBe(second + ms);
});

test("parseShow of a unit that does not exist", () => {
  expect(
    parseShow(
      "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nInvocationID=\nNeedDaemonReload=no\nMainPID=0\nExecMainStartTimestamp=\n",
    ),
  ).toMatchObject({ load: "not-found", file: "", runs: false, restarts: 0, startedAt: 0 });
});

describe("telling", () => {
  test.each([
    [
      "errors before other words",
      "starting\nERROR: unknown variable 'x'\nshutting down",
      "ERROR: unknown variable 'x'",
    ],
    ["else the last words", "one\n\ntwo\nthree\n", "two | three"],
    ["nothing", "", ""],
  ])("%s", (_name, text, wanted) => {
    expect(telling(text)).toBe(wanted);
  });
});

test.each([
  ["/store/disk1", "store-disk1.mount"],
  ["/store//disk1/", "store-disk1.mount"],
  ["/srv/a-b/c.d", "srv-a\\x2db-c.d.mount"],
  ["/.hidden/x", "\\x2ehidden-x.mount"],
  ["/srv/ä", "srv-\\xc3\\xa4.mount"],
  ["/a b/@x:y_z", "a\\x20b-\\x40x:y_z.mount"],
  ["/", "-.mount"],
])("the mount unit of %s, as systemd-escape names it", (path, unit) => {
  expect(pathUnit(path, "mount")).toBe(unit);
});
