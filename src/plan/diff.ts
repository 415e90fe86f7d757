import { mask } from "../core/mask.ts";

type Step = { kind: " " | "-" | "+"; line: string };

/** Beyond this many lines on one side the exact diff would cost too much; configuration files are far below. */
const largestExact = 2_000;

/** A unified diff (three lines of context, no file header) of two texts, masked; "" when they are equal. */
export function diffTexts(before: string, after: string): string {
  if (before === after) return "";
  return mask(hunks(steps(lines(before), lines(after))).join("\n"));
}

function lines(text: string): string[] {
  if (text === "") return [];
  const out = text.split("\n");
  const last = out.pop() as string;
  return last === "" ? out : [...out, `${last}\n\\ No newline at end of file`];
}

/** Longest common subsequence over what is left between the common head and tail. */
function steps(a: readonly string[], b: readonly string[]): Step[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const left = a.slice(head, a.length - tail);
  const right = b.slice(head, b.length - tail);
  return [
    ...a.slice(0, head).map((line): Step => ({ kind: " ", line })),
    ...(Math.max(left.length, right.length) > largestExact ? replace(left, right) : subsequence(left, right)),
    ...a.slice(a.length - tail).map((line): Step => ({ kind: " ", line })),
  ];
}

function replace(a: readonly string[], b: readonly string[]): Step[] {
  return [...a.map((line): Step => ({ kind: "-", line })), ...b.map((line): Step => ({ kind: "+", line }))];
}

function subsequence(a: readonly string[], b: readonly string[]): Step[] {
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const out: Step[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: " ", line: a[i++] as string });
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      out.push({ kind: "-", line: a[i++] as string });
    } else out.push({ kind: "+", line: b[j++] as string });
  }
  return out;
}

const context = 3;

function hunks(all: readonly Step[]): string[] {
  const out: string[] = [];
  let index = 0;
  let oldLine = 1;
  let newLine = 1;
  const advance = (step: Step) => {
    if (step.kind !== "+") oldLine++;
    if (step.kind !== "-") newLine++;
  };
  while (index < all.length) {
    const first = all.findIndex((step, at) => at >= index && step.kind !== " ");
    if (first === -1) break;
    const start = Math.max(index, first - context);
    for (; index < start; index++) advance(all[index] as Step);
    let end = first;
    for (let at = first; at < all.length && at - end <= 2 * context; at++) {
      if (all[at]?.kind !== " ") end = at;
    }
    const hunk = all.slice(start, Math.min(all.length, end + context + 1));
    const oldCount = hunk.filter((step) => step.kind !== "+").length;
    const newCount = hunk.filter((step) => step.kind !== "-").length;
    out.push(`@@ -${range(oldLine, oldCount)} +${range(newLine, newCount)} @@`);
    out.push(...hunk.map((step) => `${step.kind}${step.line}`));
    for (; index < start + hunk.length; index++) advance(all[index] as Step);
  }
  return out;
}

/** diff(1): an empty side is counted from the line before it. */
function range(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`;
}
