import type { Stage, Strike } from "../../src/operations/drill/run.ts";
import type { Lab } from "./lab.ts";
import { writerOf } from "./pair.ts";
import { system } from "./system.ts";
import { untilProtected } from "./trial.ts";
import type { Writers } from "./writer.ts";

/** A kill closes connections at once; an outage that begins later is another one. */
const settleMs = 250;
/** A replica that falls silent is given up after a second. */
const silentMs = 3_000;
/** How long a fault that the pair should ride out lasts. */
const enduredMs = 10_000;

/** Everything that a lab can do to a pair, by name. */
export const faults = {
  /** kill -9 of the writing server. */
  async kill(lab) {
    const { writer } = await writerOf(lab);
    return { victim: writer.name, at: await writer.kill(system.unit), settleMs };
  },
  /** Power cut of the writer's node. */
  async power(lab) {
    const { writer } = await writerOf(lab);
    return { victim: writer.name, at: await writer.powerOff(), settleMs, mend: () => writer.boot() };
  },
  /** Power cut of the replica's node. */
  async "replica-power"(lab) {
    const { replica } = await writerOf(lab);
    return {
      victim: replica.name,
      at: await replica.powerOff(),
      settleMs: silentMs,
      mend: () => replica.boot(),
    };
  },
  async "replica-kill"(lab) {
    const { replica } = await writerOf(lab);
    return { victim: replica.name, at: await replica.kill(system.unit), settleMs: silentMs };
  },
  /** SIGSTOP of the writing server: it answers nothing, and its connections stay. */
  async hang(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.pause(system.unit);
    return {
      victim: writer.name,
      at,
      settleMs: silentMs,
      // Killed meanwhile, it has nothing to go on with.
      mend: async () =>
        void (await writer.run(["systemctl", "kill", "--signal=CONT", system.unit], { check: false })),
    };
  },
  /** Every write to the writer's data disk blocks; wants a lab whose nodes have data disks. */
  async freeze(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.freeze();
    return { victim: writer.name, at, settleMs: silentMs, mend: () => writer.thaw() };
  },
  /** The writer's node is cut off somewhere in the network: its link stays up. */
  async cut(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.cutPort("silent");
    return { victim: writer.name, at, settleMs: silentMs, mend: () => writer.heal() };
  },
  /** The writer's cable is pulled: it sees that. */
  async "cut-carrier"(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.cutPort("carrier");
    return { victim: writer.name, at, settleMs: silentMs, mend: () => writer.heal() };
  },
  /** The nodes are cut from each other, both reach the clients. Without a third voter: two writers, conceded. */
  async "cut-peer"(lab) {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await Promise.all([writer.dropFrom(replica), replica.dropFrom(writer)]);
    return { victim: writer.name, at, settleMs: silentMs, mend: () => writer.heal() };
  },
  /** One way: what the writer's node sends does not reach the replica's. */
  async "deaf-replica"(lab) {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await replica.dropFrom(writer);
    return { victim: replica.name, at, settleMs: silentMs, mend: () => replica.heal() };
  },
  /** One way: what the replica's node sends does not reach the writer's. */
  async "deaf-writer"(lab) {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await writer.dropFrom(replica);
    return { victim: writer.name, at, settleMs: silentMs, mend: () => writer.heal() };
  },
  /** 10 % of the frames of the writer's node are lost, each way, for 10 s. */
  async loss(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.loss(10);
    return { victim: writer.name, at, settleMs: enduredMs, mend: () => writer.heal() };
  },
  /** Both servers killed at once. */
  async both(lab) {
    const { writer, replica } = await writerOf(lab);
    const at = Date.now();
    await Promise.all([writer.kill(system.unit), replica.kill(system.unit)]);
    return { victim: `${writer.name}, ${replica.name}`, at, settleMs: 2 * settleMs };
  },
  /** Both nodes lose their power, and the writer's comes back alone; the other one follows when it has had its time. */
  async "one-back"(lab) {
    const { writer, replica } = await writerOf(lab);
    const died = await Promise.all([writer.powerOff(), replica.powerOff()]);
    await writer.boot();
    await Bun.sleep(enduredMs);
    await replica.boot();
    return { victim: `${writer.name}, ${replica.name}`, at: Math.min(...died), settleMs };
  },
  async agent(lab) {
    const { writer } = await writerOf(lab);
    return { victim: writer.name, at: await writer.kill("chime-node.service"), settleMs: silentMs };
  },
  async keepalived(lab) {
    const { writer } = await writerOf(lab);
    return { victim: writer.name, at: await writer.kill("keepalived.service"), settleMs: silentMs };
  },
  async switchover(lab) {
    const { writer } = await writerOf(lab);
    const at = Date.now();
    await writer.run(["chime-node", "switchover"]);
    return { victim: writer.name, at, settleMs: Date.now() - at };
  },
} satisfies Record<string, (lab: Lab) => Promise<Strike>>;

export type FaultKind = keyof typeof faults;

/** A drill in the lab: the same rounds as on a cluster that serves, with faults that need a hand on power and cables. */
export function labStage(lab: Lab, writers: Writers): Stage<FaultKind> {
  return {
    strike: (kind) => faults[kind](lab),
    async untilLevel() {
      await untilProtected(lab);
    },
    acknowledged: () => writers.acknowledged(),
  };
}
