/** As `random` of test/plan gives it. */
type Roll = (below: number) => number;

const pieces = [
  ...Array.from("aZ0_-.:/#'`~ ,=\"\\\t|;{}$%"),
  "\\\\",
  '\\"',
  "\\n",
  "ä",
  "→",
  "😀",
  "\u0301",
  "\u200b",
  "NaN",
  "true",
  "1i",
];
/** In strings alone: of names a line would end there. */
const onlyInTexts = ["\n", "\r", "\r\n", "\u0000", "\u007f", "\u2028"];

/** What a string field may hold. */
export function nastyText(roll: Roll, longest = 12): string {
  const all = [...pieces, ...onlyInTexts];
  return Array.from({ length: roll(longest + 1) }, () => all[roll(all.length)]).join("");
}

/**
 * What a name or a tag's value may be where line protocol has a way to say it: not empty, and without a backslash at its end, which
 * would escape what comes after. Flux stores such names all the same: they are told, and not filled (line.ts).
 */
export function nastyName(roll: Roll, longest = 6): string {
  const text = Array.from({ length: roll(longest) + 1 }, () => pieces[roll(pieces.length)]).join("");
  const name = text.replace(/\\+$/, "").replace(/^#+/, "");
  return name === "" || name === "time" ? `n${name}` : name;
}

/** The same for a field's key: in it the server reads a quote's backslash as its escape, and holds none. */
export const nastyKey = (roll: Roll): string => nastyName(roll).replace(/\\+"/g, '"');

/** The same for a measurement: a tab at the beginning of a line is passed over, and `#` makes it a comment. */
export const nastyMeasurement = (roll: Roll): string => nastyName(roll).replace(/^[\t#]+/, "m");

export const floats = [
  0,
  -0,
  1,
  -1,
  0.1,
  1 / 3,
  5e-324,
  2.2250738585072014e-308,
  1.7976931348623157e308,
  1e21,
  -1e-7,
  123456789.125,
];
export const integers = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  -32n,
  -33n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
export const unsigneds = [0n, 1n, 255n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
