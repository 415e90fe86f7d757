/**
 * The candidate that a mistyped word most likely meant, or undefined if none is close; of equals the one that begins
 * as the word does ("of" finds "off", not "on"): first letters are seldom wrong.
 * Distance is optimal string alignment (one swap of neighbours counts 1): typos are mostly that.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A third of the letters may differ: "vpi" finds "vip", "xyz" finds nothing.
  let limit = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of candidates) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase(), limit);
    if (d > limit) continue;
    if (best === undefined || d < limit || sameStart(word, candidate) > sameStart(word, best)) {
      best = candidate;
      limit = d;
    }
  }
  return best;
}

function sameStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min(at(previous, j) + 1, at(row, j - 1) + 1, at(previous, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        d = Math.min(d, at(beforePrevious, j - 2) + 1);
      }
      row.push(d);
    }
    beforePrevious = previous;
    previous = row;
  }
  return at(previous, b.length);
}

const at = (row: number[], index: number): number => row[index] ?? Infinity;
