import * as v from "valibot";
import { termSchema } from "./term.ts";

/** What voters ask each other, as `vote.<role>.<method>`. Both directions come from the network. */
const record = v.nullable(termSchema);
const nonce = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const name = v.pipe(v.string(), v.maxLength(64));

export const wire = {
  /** "May I have this term?" A grant is on the voter's disk before the answer leaves. */
  ask: {
    params: v.object({ term: termSchema }),
    answer: v.object({ granted: v.boolean(), reason: v.pipe(v.string(), v.maxLength(500)), held: record }),
  },
  /** A voter, back to the asker: "do you hear me, and what do you ask for?" */
  challenge: {
    params: v.object({ nonce }),
    answer: v.object({ nonce, asking: record, held: record }),
  },
  /** A voter, to the writer that it has just voted out: "another one writes." */
  tell: { params: v.object({ term: termSchema }), answer: v.object({ held: record }) },
  /** "What is the newest record that you hold?" */
  read: { params: v.object({}), answer: v.object({ held: record }) },
  /** "Become a voter: take over the newest record that these hold." */
  copy: {
    params: v.object({ from: v.pipe(v.array(name), v.minLength(1), v.maxLength(3)) }),
    answer: v.object({ held: record }),
  },
} as const;

export type Method = keyof typeof wire;
export type Params<M extends Method> = v.InferOutput<(typeof wire)[M]["params"]>;
export type Answer<M extends Method> = v.InferOutput<(typeof wire)[M]["answer"]>;
