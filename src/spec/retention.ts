/** Of `NAME:RETENTION`. */
export const bucketName = (word: string): string => word.slice(0, word.lastIndexOf(":"));

const unitSeconds: Readonly<Record<string, number>> = { h: 3_600, d: 86_400, w: 604_800 };

/** `30d` as seconds; `forever` is 0. */
export function retentionSeconds(word: string): number {
  return word === "forever" ? 0 : Number(word.slice(0, -1)) * (unitSeconds[word.slice(-1)] ?? 0);
}

/** `traces:30d`. */
export function parseBucket(word: string): { name: string; retentionSeconds: number } {
  const name = bucketName(word);
  return { name, retentionSeconds: retentionSeconds(word.slice(name.length + 1)) };
}
