import { expect, test } from "bun:test";
import { multipart } from "../../../src/roles/influxdb/metadata.ts";

const part = (name: string, body: string) =>
  `--b\r\nContent-Disposition: attachment; name="${name}"\r\n\r\n${body}\r\n`;

test("the parts of a backup, whatever is in them", () => {
  const body = Buffer.from(`${part("kv", "a\r\n\r\n-- b\r\n--c")}${part("sql", "")}--b--\r\n`, "latin1");
  const parts = multipart(body, "multipart/mixed; boundary=b");
  expect([...parts].map(([name, bytes]) => [name, bytes.toString()])).toEqual([
    ["kv", "a\r\n\r\n-- b\r\n--c"],
    ["sql", ""],
  ]);
});

test("one that is cut off or of another form has none", () => {
  expect(multipart(Buffer.from(part("kv", "abc")), "multipart/mixed; boundary=b").size).toBe(0);
  expect(multipart(Buffer.from(part("kv", "abc")), "application/json").size).toBe(0);
});
