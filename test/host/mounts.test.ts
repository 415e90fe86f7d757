import { expect, test } from "bun:test";
import { isReadOnly } from "../../src/host/mounts.ts";

const table = `22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 8:2 / /srv ro - ext4 /dev/sdb rw
31 30 8:3 / /srv/in rw - ext4 /dev/sdc rw
40 22 8:4 / /full rw - ext4 /dev/sdd rw,emergency_ro
50 22 8:5 / /twice ro - ext4 /dev/sde rw
51 50 8:6 / /twice rw - ext4 /dev/sdf rw
`;

test.each([
  ["/var", false],
  ["/", false],
  ["/srv", true],
  ["/srv/a/b", true],
  ["/srvother", false],
  ["/srv/in", false],
  ["/srv/in/a", false],
  ["/full/a", true],
  ["/twice", false],
])("%s is read-only as the innermost mount around it is: %p", (path, wanted) => {
  expect(isReadOnly(path, table)).toBe(wanted);
});

test("a system without a root file system in its table says nothing", () => {
  expect(isReadOnly("/var", "30 22 8:2 / /srv ro - ext4 /dev/sdb rw\n")).toBe(false);
});
