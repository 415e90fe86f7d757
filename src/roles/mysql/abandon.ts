import type { Facts } from "../../host/facts.ts";
import { showUnit } from "../../host/systemd.ts";
import { ChimeError } from "../../core/errors.ts";
import type { MysqlSpec } from "../../spec/types.ts";
import { Session } from "./client.ts";
import { engines } from "./engine/index.ts";
import type { Engine } from "./engine/types.ts";
import { killUnit } from "./guard/unit.ts";
import { layoutOf, type Layout } from "./layout.ts";

const answerMs = 2_000;

/**
 * Stops a server that accepts writes from doing so; one that does not answer is killed. A replica is left as it is: its
 * writer needs what it acknowledges. Whichever engine runs here: there may be no spec to ask.
 */
export async function abandon(os: Facts["os"]): Promise<void> {
  for (const [name, engine] of Object.entries(engines)) {
    const where = layoutIfKnown(name as MysqlSpec["engine"], os);
    if (where && (await showUnit(where.product.unit)).active === "active") await stopWrites(engine, where);
  }
}

function layoutIfKnown(engine: MysqlSpec["engine"], os: Facts["os"]): Layout | undefined {
  try {
    return layoutOf(engine, os);
  } catch (error) {
    if (error instanceof ChimeError && error.code === "host.unsupported") return undefined;
    throw error;
  }
}

async function stopWrites(engine: Engine, { socket, product }: Layout): Promise<void> {
  const [session, hand] = [0, 1].map(
    () => new Session({ socket, unit: product.unit, timeoutMs: answerMs }),
  ) as [Session, Session];
  try {
    const { readOnly } = await engine.probe(session);
    if (!readOnly) await engine.fence(session, hand);
  } catch {
    await killUnit(product.unit);
  } finally {
    session.close();
    hand.close();
  }
}
