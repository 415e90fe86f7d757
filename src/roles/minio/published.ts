import * as v from "valibot";
import type { Member } from "../../cluster/types.ts";
import { changeId } from "../../cluster/secret-store.ts";
import { standingSchema } from "./mirror/record.ts";
import { olderStates } from "./versions.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000));
const bytes = v.pipe(v.number(), v.minValue(0));
const drives = v.object({ total: count, online: count, healing: count });
const programHash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
/** Of the CA file's content. */
const trustId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));

/** What is there for a server to read when it starts, and what it was started with. */
function started<Id extends v.GenericSchema<string>>(id: Id) {
  return v.object({
    current: id,
    used: v.nullable(id),
    /** Its server runs, and was started with something else. */
    old: v.optional(v.boolean()),
    /** The nodes that it waits for before it restarts that. */
    awaits: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(63))), v.maxLength(32))),
    /** What its turn to do so waits for, one line. */
    awaiting: v.optional(v.pipe(v.string(), v.maxLength(400))),
  });
}
export type PublishedStart = v.InferOutput<ReturnType<typeof started>>;

/**
 * What a node's guard publishes of itself (`Member.roleState.minio`): enough for any member to tell the status. Changes
 * rarely; no counters.
 */
const publishedSchema = v.object({
  /** Its place in the layout, from 1; null before all nodes of the layout were there. */
  slot: v.nullable(count),
  /** `serving`: its own server answers reads. */
  state: v.picklist(["serving", "waiting", "down"]),
  /** Its server says that writes find enough drives. */
  writable: v.boolean(),
  /** By its own server, of all nodes; null while that does not answer. */
  seen: v.nullable(
    v.object({
      /** By the place of the node. */
      nodes: v.pipe(v.array(v.object({ slot: count, drives })), v.maxLength(32)),
      capacity: v.object({ total: bytes, free: bytes }),
    }),
  ),
  /** Where those of its drives are mounted that are far slower than all others. */
  slow: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(100))), v.maxLength(16)), []),
  /** Where those of its drives are mounted that are full. */
  full: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(100))), v.maxLength(16)), []),
  /** What the bucket keeps of objects that were written over or deleted; none: not known yet, or a mirror's. */
  olderStates: v.optional(v.picklist(olderStates)),
  /** Its server has found every drive. */
  attached: v.boolean(),
  /** Since drives were away, objects may not be on all that they should be on. */
  owes: v.boolean(),
  /** When it last had all objects completed, ISO 8601. */
  healed: v.nullable(v.pipe(v.string(), v.maxLength(40))),
  /** SHA-256 of the operator's own program. */
  binary: v.nullable(programHash),
  /** The same, and whether its server was started with it. None: it came as a package, a mirror's or an older member. */
  program: v.optional(started(programHash)),
  /** The CAs that are there for its server to trust, and those that it was started with; none: it speaks no TLS. */
  trust: v.optional(started(trustId)),
  /** The change that the password in its server's settings came with; none: an older member. */
  password: v.optional(started(changeId)),
  /** Of two stores that copy to each other. */
  mirror: v.optional(
    v.object({
      ...standingSchema.entries,
      /** Its server answers. */
      up: v.boolean(),
      /** Its server is one of two that copy to each other; null while that is not known. */
      enabled: v.nullable(v.boolean()),
      /** Its server reached the other one lately. */
      reached: v.boolean(),
      /** Why the two are not made to copy to each other. */
      trouble: v.nullable(v.pipe(v.string(), v.maxLength(400))),
    }),
  ),
  /** Why it waits or is down, one line. */
  detail: v.nullable(v.pipe(v.string(), v.maxLength(400))),
});
export type Published = v.InferOutput<typeof publishedSchema>;

/** What a member last said of itself; null where it said nothing, or nothing that we understand. */
export function publishedBy(member: Pick<Member, "roleState">): Published | null {
  const parsed = v.safeParse(publishedSchema, member.roleState["minio"]);
  return parsed.success ? parsed.output : null;
}
