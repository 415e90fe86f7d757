/** Results of one step. */
export interface Counts {
  passed: number;
  failed: number;
  /** Why nothing of it was run. */
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
  const failed = attribute("failures") + attribute("errors");
  const passed = attribute("tests") - failed - attribute("skipped");
  return { passed, failed };
}
