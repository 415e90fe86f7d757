import type { Facts } from "../../host/facts.ts";
import { killUnit, showUnit } from "../../host/systemd.ts";
import { ChimeError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import type { MysqlSpec } from "../../spec/types.ts";
import { Session } from "./client.ts";
import { engines } from "./engine/index.ts";
import type { Engine } from "./engine/types.ts";
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
    if (await acceptsWrites(engine, session)) await engine.fence(session, hand);
  } catch (error) {
    log.warn(`${product.unit} is killed, for it could not be made read-only: ${(error as Error).message}`);
    await killUnit(product.unit);
  } finally {
    session.close();
    hand.close();
  }
}

/** Of another product under this unit's name (Debian calls MariaDB's mysql.service, too) it knows nothing, and says no. */
async function acceptsWrites(engine: Engine, session: Session): Promise<boolean> {
  try {
    return !(await engine.probe(session)).readOnly;
  } catch (error) {
    if (error instanceof ChimeError && error.code === "mysql.statement") return false;
    throw error;
  }
}
