import type { MemberView } from "../../../cluster/types.ts";
import type { Problem } from "../../guard.ts";
import type { RoleContext, StoreStatus } from "../../types.ts";
import { hear, nobodyServes, nodeDown, nodeStatus, storeStatus, type Heard } from "../heard.ts";
import { minioSpec, nodes } from "../layout.ts";
import { quorumOf, whereLaidOut } from "../quorum.ts";
import { ailing, completing, driveProblems, programProblems } from "../status.ts";

/** `status.roles.minio` of two stores that copy to each other, and what is wrong with them. Pure. */
export function mirrorStatus(
  context: RoleContext,
  members: readonly MemberView[],
): { status: StoreStatus; problems: Problem[] } {
  const spec = minioSpec(context);
  const quorum = quorumOf({ nodes: 1, drivesPerNode: spec.disksPerNode });
  const present = nodes(members.filter(({ state }) => state !== "left"));
  const heard = present.map(hear);
  const found = heard.map((one) => nodeStatus(one, one.said?.seen?.nodes[0]?.drives, spec.disksPerNode));
  // Each of them holds everything.
  const serving = heard.find(({ said }) => said?.state === "serving");
  const status = storeStatus(spec, quorum, found, {
    capacity: serving?.said?.seen?.capacity ?? null,
    older_states: null,
  });
  // Before one of them is ready, a join is under way.
  const isReady = present.some(({ phase }) => phase["minio"] === "ready");
  return { status, problems: isReady ? problemsOf(status, heard) : [] };
}

function problemsOf(status: StoreStatus, heard: readonly Heard[]): Problem[] {
  const [first, second] = heard;
  if (!first) return [];
  const drives = heard.flatMap(({ member: { name }, said }, nth) => {
    const here = status.nodes[nth]?.drives;
    return said?.seen && here ? [...ailing(name, said), ...driveProblems(name, here)] : [];
  });
  const programs = programProblems(status.nodes);
  if (!second) return [...serves(heard), single(first.member.name), ...drives, ...programs];
  return [
    ...serves(heard),
    ...heard.flatMap((one) => nodeProblems(one, one === first ? second : first)),
    ...drives,
    ...completing(heard),
    ...programs,
    asynchronous(first.member.name),
  ];
}

/** What a client has to reckon with as long as this is the layout. */
function asynchronous(node: string): Problem {
  return {
    code: "minio.margin",
    severity: "warning",
    node,
    ...mirrorWarning,
  };
}

/** What two stores that copy to each other do not promise; said before anything is formatted, too. */
export const mirrorWarning = {
  message:
    "the two stores copy to each other a moment after the answer: what was stored in the last moment before a node is lost can be read again when it is back, and lost with its disks",
  remedy: `accept it; or take a third node (topology = "pool", nodes = 3): ${whereLaidOut}`,
};

function single(node: string): Problem {
  return {
    code: "minio.incomplete",
    severity: "warning",
    node,
    message: `the store of ${node} has no other one to copy to yet`,
    remedy: "chime-node join --role minio --disk … on one more node",
  };
}

function serves(heard: readonly Heard[]): Problem[] {
  if (heard.some(({ said }) => said?.state === "serving")) return [];
  return [nobodyServes(heard, waitsFor(heard))];
}

/** One that came back alone does not know whether the other one went on without it. */
function waitsFor(heard: readonly Heard[]): string {
  const gone = heard.find(({ said }) => said === null);
  if (!gone || heard.every(({ said }) => !said?.mirror?.up)) {
    return "start the nodes that are down: the store serves by itself then";
  }
  const { name } = gone.member;
  return `start ${name}, which may have what the other one lacks; if it will never come back: chime-node remove ${name}`;
}

function nodeProblems(one: Heard, mate: Heard): Problem[] {
  const { name } = one.member;
  const { said } = one;
  const mirror = said?.mirror;
  if (!said || !mirror || said.state === "down") return [nodeDown(one, "what it lacks comes by itself")];
  if (!mirror.current) return [behind(name, mate.member.name, said.detail, mirror.trouble)];
  // The other one's trouble is told as its own.
  if (!mate.said?.mirror?.up) return [];
  if (mirror.enabled === false) {
    return [
      {
        code: "minio.mirror_not_set_up",
        severity: "error",
        node: name,
        message: `the store of ${name} does not copy to that of ${mate.member.name}${mirror.trouble ? `: ${mirror.trouble}` : ""}`,
        remedy: `it is tried again by itself; journalctl -u chime-node on ${name} says more`,
      },
    ];
  }
  if (!mate.said.mirror.current || (mirror.reached && mirror.alone === null)) return [];
  return [
    {
      code: "minio.mirror_not_reached",
      severity: "error",
      node: name,
      message: `the store of ${name} does not reach that of ${mate.member.name}: what is written is on ${name} alone`,
      remedy: `see whether ${name} reaches port 9000 of ${mate.member.name}; what is missing there comes by itself then`,
    },
  ];
}

function behind(node: string, mate: string, detail: string | null, trouble: string | null): Problem {
  const why = trouble ?? detail;
  return {
    code: "minio.mirror_behind",
    severity: "error",
    node,
    message: `the store of ${node} may lack what that of ${mate} has, and gets no clients${why ? `: ${why}` : ""}`,
    remedy: `wait: ${mate} sends what is missing; until then lose no other node`,
  };
}
