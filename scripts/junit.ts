/** Results of one step. */
export interface Counts {
  passed: number;
  failed: number;
  /** What of it was not run, or why nothing was. */
  skipped?: string;
  /** What the runner printed of the tests that failed. */
  failures?: string;
}

const linesOfOne = 60;

/** Of what `bun test` printed: each test that failed, with at most 60 lines before it; where none did, the end of all. */
export function failuresIn(output: string): string {
  // `bun test` lists their names once more.
  const lines = output
    .replace(/\n\d+ tests? failed:\n[^]*$/, "")
    .trimEnd()
    .split("\n");
  const found: string[] = [];
  let since = 0;
  for (const [at, line] of lines.entries()) {
    if (line.startsWith("(fail) ")) found.push(...lines.slice(Math.max(since, at + 1 - linesOfOne), at + 1));
    if (/^\((?:pass|fail|skip)\) /.test(line)) since = at + 1;
  }
  return (found.length > 0 ? found : lines.slice(-linesOfOne)).join("\n");
}

/**
 * Reads the totals of a JUnit report (the attributes of its root element).
 * @throws Error when there is no report or it holds no test: both mean that nothing was tested
 */
export async function countJunit(file: string): Promise<Counts> {
  const text = await Bun.file(file)
    .text()
    .catch(() => "");
  const opening = /<testsuites\b[^>]*>/.exec(text)?.[0];
  if (!opening) throw new Error("the test runner left no report");
  const attribute = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(opening)?.[1] ?? 0);
  const tests = attribute("tests");
  const left = attribute("skipped");
  const failed = attribute("failures") + attribute("errors");
  const counts = { passed: tests - failed - left, failed };
  return left === 0
    ? counts
    : { ...counts, skipped: `${left} of ${tests} tests; most of them run with --long` };
}
