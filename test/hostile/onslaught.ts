import { test } from "bun:test";
import { ChimeError } from "../../src/core/errors.ts";
import { Inputs } from "./inputs.ts";

const long = process.env["CHIME_LONG"] !== undefined;
/** Replays one input: what a failure prints. */
const seed = process.env["CHIME_SEED"];
const rounds = 150;
const longRounds = 25_000;
/** Nothing that a parser gets here is larger than some 100 KB. */
const defaultSlowMs = 500;
/** What the whole of an onslaught may leave behind. */
const mostBytes = 512 << 20;
/** Inputs of a parser have seeds of their own, so that one more parser changes no other's. */
const firstSeed = 20_261_122;

export interface Target<Input, Output> {
  make(inputs: Inputs): Input;
  parse(input: Input): Output | Promise<Output>;
  /** Codes of the ChimeErrors that it may end in. */
  codes?: readonly string[];
  /** Errors that are none of ours, by their class. */
  errors?: readonly (abstract new (...args: never[]) => Error)[];
  /** Throws where what came out is not what the parser promises. */
  holds?(output: Output, input: Input): void | Promise<void>;
  /** How many times fewer inputs: for those that take milliseconds each. */
  fewer?: number;
  /** What is too long for one input, ms. */
  slowMs?: number;
}

/**
 * Gives a parser some hundred hostile inputs, with CHIME_LONG some ten thousand. Each must come to an end in time, in what
 * the parser promises or in an error that it declares; and no object of the program is another one afterwards.
 */
export function onslaught<Input, Output>(what: string, target: Target<Input, Output>): void {
  const count = Math.ceil((long ? longRounds : rounds) / (target.fewer ?? 1));
  const seeds = seed === undefined ? { first: firstSeed, count } : { first: Number(seed), count: 1 };
  test(`${what}: ${seeds.count} inputs`, async () => {
    const before = process.memoryUsage().rss;
    for (let at = seeds.first; at < seeds.first + seeds.count; at++) {
      const input = target.make(new Inputs(at));
      try {
        await strike(target, input);
      } catch (cause) {
        const replay = `CHIME_SEED=${at} bun test ${Bun.main} -t '${what}'`;
        throw new Error(`${what} on ${shown(input)}\n${replay}`, { cause });
      }
    }
    const grown = process.memoryUsage().rss - before;
    if (grown > mostBytes) throw new Error(`${what} left ${Math.round(grown / 2 ** 20)} MiB behind`);
  }, 600_000);
}

async function strike<Input, Output>(target: Target<Input, Output>, input: Input): Promise<void> {
  const { slowMs = defaultSlowMs } = target;
  let ms = await once(target, input);
  // A machine with other work makes anything slow once, but not each time.
  for (let again = 0; again < 3 && ms > slowMs; again++) ms = Math.min(ms, await once(target, input));
  if (ms > slowMs) throw new Error(`it took ${Math.round(ms)} ms`);
  if (Reflect.ownKeys(Object.prototype).length !== ownKeys) throw new Error("Object.prototype was changed");
}

const ownKeys = Reflect.ownKeys(Object.prototype).length;

/** Returns what it took, ms. */
async function once<Input, Output>(target: Target<Input, Output>, input: Input): Promise<number> {
  const start = performance.now();
  let ms: number;
  let output: Output;
  try {
    const given = target.parse(input);
    output = given instanceof Promise ? await given : given;
    ms = performance.now() - start;
  } catch (error) {
    ms = performance.now() - start;
    if (!isDeclared(target, error)) throw error;
    return ms;
  }
  await target.holds?.(output, input);
  return ms;
}

function isDeclared<Input, Output>(
  { codes = [], errors = [] }: Target<Input, Output>,
  error: unknown,
): boolean {
  if (error instanceof ChimeError) return codes.includes(error.code);
  return errors.some((one) => error instanceof one);
}

function shown(input: unknown): string {
  const text = input instanceof Uint8Array ? Buffer.from(input).toString("hex") : JSON.stringify(input);
  return text.length > 2_000 ? `${text.slice(0, 2_000)}… (${text.length})` : text;
}
