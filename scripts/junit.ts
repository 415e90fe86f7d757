/** Results of one step. */
export interface Counts {
  passed: number;
  failed: number;
  /** What of it was not run, or why nothing was. */
  skipped?: string;
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
