import { expect, test } from "bun:test";
import { findId, lookupOwner, resolveOwner } from "../../src/host/users.ts";

const passwd = `root:x:0:0:root:/root:/bin/bash
mysql-old:x:7:7::/:/bin/false
mysql:x:104:112:MySQL Server,,,:/nonexistent:/bin/false
broken
+::::::
`;

test.each([
  ["root", 0],
  ["mysql", 104],
  ["my", undefined],
  ["broken", undefined],
  ["", undefined],
])("findId %s", (name, id) => {
  expect(findId(passwd, name)).toBe(id as number);
});

test("a user who does not exist yet", async () => {
  expect(await lookupOwner("root", "root")).toEqual({ uid: 0, gid: 0 });
  expect(await lookupOwner("root", "no-such-group")).toBeUndefined();
  expect(await resolveOwner("no-such-user", "root").catch((error: unknown) => error)).toMatchObject({
    code: "host.no_such_user",
  });
});
