import type { Membership, RoleName } from "../cluster/types.ts";
import { reportKey, type AgentReport } from "./report.ts";

/** Writes this node's `roleState`, and only when something in it changed: every change goes to every member. */
export class Publisher {
  readonly #membership: Pick<Membership, "self" | "update">;

  constructor(membership: Pick<Membership, "self" | "update">) {
    this.#membership = membership;
  }

  role(role: RoleName, state: unknown): Promise<void> {
    return this.#set(role, state);
  }

  report(report: AgentReport): Promise<void> {
    return this.#set(reportKey, report);
  }

  async #set(key: string, state: unknown): Promise<void> {
    const { roleState } = this.#membership.self;
    if (Bun.deepEquals(roleState[key], state)) return;
    await this.#membership.update({ roleState: { ...roleState, [key]: state } });
  }
}
