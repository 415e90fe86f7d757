import type { Ledger } from "../../src/plan/ledger.ts";
import type { Change, Impact, Resource } from "../../src/resources/types.ts";

/** A ledger in memory. */
export function memoryLedger(): Ledger {
  const before = new Map<string, unknown>();
  const reached = new Map<string, string>();
  return {
    backups: "/nowhere",
    before(id, value) {
      if (!before.has(id)) before.set(id, value);
      return Promise.resolve();
    },
    done(id, desired) {
      reached.set(id, desired);
      return Promise.resolve();
    },
    reached: (id) => reached.get(id),
    noted: (id) => before.get(id),
    forget(id) {
      before.delete(id);
      reached.delete(id);
      return Promise.resolve();
    },
    ids: () => [...before.keys()],
  };
}

interface FakeOptions {
  needs?: string[];
  impact?: Impact;
  lane?: string;
  /** Looking at it takes as long as this. */
  look?: () => Promise<void>;
  /** Runs while it is applied. */
  act?: () => Promise<void> | void;
  together?: boolean;
}

/** A host of named values, and resources that set them. */
export function fakeHost() {
  const values = new Map<string, string>();
  const log: string[] = [];
  function fake(id: string, value: string, options: FakeOptions = {}): Resource {
    return {
      id,
      needs: options.needs ?? [],
      desired: value,
      ...(options.lane ? { lane: options.lane } : {}),
      async inspect(context) {
        await options.look?.();
        const awaited = (options.needs ?? []).some((need) => context.pending(need));
        if (values.get(id) === value && !awaited) return undefined;
        const change: Change = {
          action: values.has(id) ? "update" : "create",
          impact: options.impact ?? "none",
          diff: value,
          async apply({ ledger }) {
            await ledger.before(id, values.get(id) ?? null);
            log.push(`> ${id}`);
            await options.act?.();
            values.set(id, value);
            log.push(`< ${id}`);
          },
        };
        if (options.together) {
          change.together = async (others, context) => {
            log.push(`together ${others.length + 1}`);
            const failures = new Map<Change, unknown>();
            for (const one of [change, ...others]) {
              await one.apply(context).catch((error: unknown) => failures.set(one, error));
            }
            return failures;
          };
        }
        return change;
      },
    };
  }
  return { values, log, fake };
}
