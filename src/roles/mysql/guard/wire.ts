import * as v from "valibot";
import { termSchema } from "../../../cluster/vote/term.ts";
import { pieceBytes } from "../copy/offer.ts";

/** Longer than any position of a cluster with few servers. What it says only the engine knows. */
const longestPosition = 16_384;
const gtids = v.pipe(v.string(), v.maxLength(longestPosition), v.regex(/^[\w, :\n-]*$/));
/** They become options of a program: nothing in them is a path. */
const settings = v.record(
  v.pipe(v.string(), v.maxLength(64)),
  v.pipe(v.string(), v.maxLength(2_000), v.regex(/^[\w.:;-]*$/)),
);
const copyId = v.pipe(v.string(), v.maxLength(32));
const answerTerm = v.nullable(termSchema);

/** What guards ask each other, as `guard.mysql.<method>`. Both directions come from the network. */
export const wire = {
  /** "I take over: stop writing, and tell me where you ended." */
  yield: {
    params: v.object({}),
    answer: v.object({ refused: v.boolean(), term: answerTerm, position: v.nullable(gtids) }),
  },
  /** "May I be the first writer?" A grant is on the granter's disk before the answer. */
  claim: {
    params: v.object({ term: termSchema }),
    answer: v.object({ granted: v.boolean(), term: answerTerm }),
  },
  /** "Do you hold everything up to here?" A yes is on the peer's disk before the answer. */
  prove: {
    params: v.object({ position: gtids, contents: gtids }),
    answer: v.object({
      level: v.boolean(),
      life: v.pipe(v.string(), v.maxLength(64)),
      reason: v.pipe(v.string(), v.maxLength(500)),
    }),
  },
  /** "What do you hold?" */
  contents: {
    params: v.object({}),
    answer: v.object({ contents: gtids }),
  },
  /** "How large is a copy of all you have?" Bytes; and the settings that its server needs. */
  "copy-size": {
    params: v.object({}),
    answer: v.object({ bytes: v.pipe(v.number(), v.minValue(0)), settings }),
  },
  /** "Begin one for me." What every server's last transaction was before it began. */
  "copy-open": {
    params: v.object({}),
    answer: v.object({ id: copyId, contents: gtids }),
  },
  /** "The bytes from here on, please." base64; without any, the program is at work. `contents` comes with the end. */
  "copy-read": {
    params: v.object({ id: copyId, offset: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
    answer: v.object({
      data: v.pipe(v.string(), v.maxLength((pieceBytes / 3) * 4 + 4), v.base64()),
      ended: v.boolean(),
      contents: v.nullable(gtids),
    }),
  },
  /** "Enough." Whether there was one. */
  "copy-close": { params: v.object({ id: copyId }), answer: v.object({ known: v.boolean() }) },
} as const;

export type Method = keyof typeof wire;
export type Params<M extends Method> = v.InferOutput<(typeof wire)[M]["params"]>;
export type Answer<M extends Method> = v.InferOutput<(typeof wire)[M]["answer"]>;
