import { agentResources } from "../agent/resources.ts";
import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { failed } from "../core/errors.ts";
import type { ClusterView } from "./context.ts";
import type { Io } from "./io.ts";
import { makeOrThrow } from "./make.ts";

/** An agent is up in well under a second; a slow disk may take its time. */
const startMs = 20_000;

/**
 * Installs and starts the agent, and waits until it answers and knows the cluster's spec.
 * @throws ChimeError `agent.not_running`, and what systemd says
 */
export async function startAgent(io: Io): Promise<void> {
  await makeOrThrow(agentResources(), io);
  const deadline = systemClock.now() + startMs;
  for (;;) {
    try {
      await callAgent<ClusterView>("cluster", {}, { signal: io.signal, timeoutMs: 2_000 });
      return;
    } catch (error) {
      io.signal.throwIfAborted();
      if (systemClock.now() > deadline) {
        throw failed("agent.not_running", `the agent is not up after ${startMs / 1000} s`, {
          remedy: "journalctl -u chime-node",
          cause: error,
        });
      }
    }
    io.progress("waiting for this node's agent");
    await systemClock.sleep(50, io.signal);
  }
}
