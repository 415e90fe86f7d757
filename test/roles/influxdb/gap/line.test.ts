import { expect, test } from "bun:test";
import { formOf, isSayable, lineOf, seriesOf, valueText } from "../../../../src/roles/influxdb/gap/line.ts";
import { floats } from "./nasty.ts";

const bytes = (text: string) => Buffer.from(text).toString("latin1");

test.each([
  ["cpu", [], "cpu"],
  ["cpu", [["host", "a"]], "cpu,host=a"],
  ["cpu", [["host", ""]], "cpu"],
  ["select", [["from", "group"]], "select,from=group"],
  ["a b,c=d", [["t 1,=", "v 1,="]], "a\\ b\\,c=d,t\\ 1\\,\\==v\\ 1\\,\\="],
  ["back\\slash", [["k", "a\\b\"c'd"]], "back\\slash,k=a\\b\"c'd"],
  ["tab\there", [["k", "a\\ b"]], "tab\there,k=a\\\\ b"],
] as const)("the series of %s with %j", (measurement, tags, wanted) => {
  expect(seriesOf(measurement, tags)).toBe(wanted);
});

test.each([
  [1, false, "1"],
  [-0, false, "-0"],
  [1e21, false, "1e+21"],
  [1n, false, "1i"],
  [1n, true, "1u"],
  [-(2n ** 63n), false, "-9223372036854775808i"],
  [2n ** 64n - 1n, true, "18446744073709551615u"],
  [true, false, "true"],
  ["", false, '""'],
  ['say "no" \\n, a=b\n\r\t', false, '"say \\"no\\" \\\\n, a=b\n\r\t"'],
] as const)("%p is written as its type", (value, unsigned, wanted) => {
  expect(valueText(value, unsigned)).toBe(wanted);
});

test("a float's text is that float", () => {
  for (const value of floats) expect(Object.is(Number(valueText(value, false)), value)).toBe(true);
});

test("a point has the values that are there", () => {
  const block = { tags: [["host", "ä"]] as const, fields: ["a b", "n", "s", "u"] };
  const form = formOf("m", block, new Set(["u"]));
  const row = { time: 12n, values: [1.5, null, bytes("ü"), 7n] };
  expect(lineOf(form, row)).toBe(bytes('m,host=ä a\\ b=1.5,s="ü",u=7u 12').replace(bytes("ä"), "ä"));
  expect(lineOf(form, { ...row, values: [null, null, null, null] })).toBe("");
});

/** Whether a line says a point with that field, and one without it. */
test.each<[string, [boolean, boolean], string, [string, string], string]>([
  ["plain names", [true, true], "m", ["t", "v"], "f"],
  ["what is escaped", [true, true], " m,a\\,b", ["t =", "a\\ b,="], " f,= "],
  ["backslashes and quotes that stand for themselves", [true, true], '\\m"', ['"t', '\\"v\\\\x'], '"f\\x'],
  ["a newline in a measurement", [false, false], "a\nb", ["t", "v"], "f"],
  ["at its beginning, where the rest would be a point", [false, false], "\na", ["t", "v"], "f"],
  ["a comment", [false, false], "#m", ["t", "v"], "f"],
  ["a tab that is passed over", [false, false], "\tm", ["t", "v"], "f"],
  ["a measurement that ends in a backslash", [false, false], "m\\", ["t", "v"], "f"],
  ["a tag's key with a newline", [false, false], "m", ["a\nb", "v"], "f"],
  ["a tag's value with one", [false, false], "m", ["t", "v\n"], "f"],
  ["one that ends in a backslash", [false, false], "m", ["t", "v\\\\"], "f"],
  ["a field with a newline", [false, true], "m", ["t", "v"], "a\nb"],
  ["a field after a tab", [false, true], "m", ["t", "v"], "\tf"],
  ["a field whose backslash would escape", [false, true], "m", ["t", "v"], "a\\,b"],
  ["a field whose backslash is read as an escape", [false, true], "m", ["t", "v"], 'a\\"b'],
])("a line says it or not: %s", (_, isSaid, measurement, tag, field) => {
  const form = formOf(measurement, { tags: [tag], fields: ["a", field] }, new Set());
  const values = [
    [1, "x\n\\"],
    [1, null],
  ];
  expect(values.map((values) => isSayable(form, { time: 1n, values }))).toEqual(isSaid);
});
