import { exec } from "../../src/core/exec.ts";
import { waitUntil } from "./wait.ts";

/** All labs use the same addresses: each lives in namespaces of its own. */
export const subnet = "10.77.0";
export const gateway = `${subnet}.1`;
export const clientAddress = `${subnet}.100`;

/** One rule in the bridge, between ports. */
export type Fault =
  | { kind: "drop"; from: number; to: number }
  /** Per mille of the frames of one port, each way; "all": of every frame that enters the switch, once. */
  | { kind: "loss"; port: number | "all"; permille: number };

/** The lab's switch: a bridge in a namespace of its own, which also answers as the gateway. */
export class Network {
  readonly prefix: string;
  readonly #bridge: string;
  #faults: Fault[] = [];
  #loaded: Promise<unknown> = Promise.resolve();

  constructor(id: string) {
    this.prefix = `chime-lab-${id}`;
    this.#bridge = `${this.prefix}-bridge`;
  }

  namespace(name: string): string {
    return `${this.prefix}-${name}`;
  }

  async create(): Promise<void> {
    const ns = this.#bridge;
    await exec(["ip", "netns", "add", ns]);
    await exec(["ip", "-n", ns, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"]);
    await exec(["ip", "-n", ns, "addr", "add", `${gateway}/24`, "dev", "br0"]);
    await exec(["ip", "-n", ns, "link", "set", "br0", "up"]);
  }

  /** A fresh namespace with eth0 on the bridge: as after a power-on, nothing of an earlier one is left. */
  async plug(name: string, port: number, address: string, withGateway: boolean): Promise<void> {
    const ns = this.namespace(name);
    await exec(["ip", "netns", "add", ns]);
    // A server keeps its MAC over a power cut; a new one would hide behind its neighbours' ARP caches.
    const mac = `02:00:0a:4d:00:${(port + 16).toString(16)}`;
    const peer = ["peer", "name", "eth0", "address", mac, "netns", ns];
    const pair = ["link", "add", portName(port), "type", "veth", ...peer];
    await exec(["ip", "-n", this.#bridge, ...pair]);
    await exec(["ip", "-n", this.#bridge, "link", "set", portName(port), "master", "br0", "up"]);
    await exec(["ip", "-n", ns, "link", "set", "lo", "up"]);
    await exec(["ip", "-n", ns, "addr", "add", `${address}/24`, "dev", "eth0"]);
    await exec(["ip", "-n", ns, "link", "set", "eth0", "up"]);
    if (withGateway) await exec(["ip", "-n", ns, "route", "add", "default", "via", gateway]);
  }

  /** Takes the cable and the namespace away, and the faults of that port with them. */
  async unplug(name: string, port: number): Promise<void> {
    await exec(["ip", "-n", this.#bridge, "link", "del", portName(port)], { ok: "any" });
    await exec(["ip", "netns", "del", this.namespace(name)], { ok: "any" });
    await this.heal(port);
  }

  /** What leaves a node, in millions of bits a second; undefined: as fast as it can. */
  async setRate(name: string, megabits: number | undefined): Promise<void> {
    const at = ["tc", "-n", this.namespace(name), "qdisc"];
    const on = ["dev", "eth0", "root"];
    const bucket = ["tbf", "rate", `${megabits}mbit`, "burst", "256k", "latency", "50ms"];
    await exec(megabits === undefined ? [...at, "del", ...on] : [...at, "replace", ...on, ...bucket]);
  }

  async setCarrier(port: number, up: boolean): Promise<void> {
    await exec(["ip", "-n", this.#bridge, "link", "set", portName(port), up ? "up" : "down"]);
  }

  /** Forwarding on or off at the switch; the node's own link stays up. */
  async setForwarding(port: number, on: boolean): Promise<void> {
    const argv = [
      "bridge",
      "-n",
      this.#bridge,
      "link",
      "set",
      "dev",
      portName(port),
      "state",
      on ? "3" : "0",
    ];
    // Refused while the port is down, when nothing passes anyway; one that has just come up may not be yet.
    const set = async () => (await exec(argv, { ok: "any" })).code === 0;
    if (on) await waitUntil(`port ${port} of the switch to be up`, 5_000, set);
    else await set();
  }

  async addFault(fault: Fault): Promise<void> {
    this.#faults.push(fault);
    await this.#load();
  }

  /** Removes the faults that name the port. */
  async heal(port: number): Promise<void> {
    const before = this.#faults.length;
    this.#faults = this.#faults.filter((f) =>
      f.kind === "loss" ? f.port !== port : f.from !== port && f.to !== port,
    );
    if (this.#faults.length !== before) await this.#load();
  }

  async healAll(): Promise<void> {
    this.#faults = [];
    await this.#load();
  }

  /** One after the other, each with all faults that there are by then: several at once could end with a part of them. */
  async #load(): Promise<void> {
    const loading = this.#loaded.then(() => this.#replaceRules());
    this.#loaded = loading.catch(() => undefined);
    await loading;
  }

  /** One transaction: the old rules hold until the new ones do. */
  async #replaceRules(): Promise<void> {
    const into = [];
    const between = [];
    const outOf = [];
    for (const f of this.#faults) {
      if (f.kind === "drop") between.push(`iifname "${portName(f.from)}" oifname "${portName(f.to)}" drop`);
      else if (f.port === "all") into.push(`numgen random mod 1000 <= ${f.permille - 1} drop`);
      else {
        into.push(`iifname "${portName(f.port)}" numgen random mod 1000 <= ${f.permille - 1} drop`);
        outOf.push(`oifname "${portName(f.port)}" numgen random mod 1000 <= ${f.permille - 1} drop`);
      }
    }
    const chains = [
      chain("into", "prerouting", into),
      chain("between", "forward", between),
      chain("outof", "postrouting", outOf),
    ];
    const rules = `table bridge lab\ndelete table bridge lab\ntable bridge lab {\n${chains.join("\n")}\n}\n`;
    await exec(["ip", "netns", "exec", this.#bridge, "nft", "-f", "-"], { stdin: rules });
  }
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  return `chain ${name} { type filter hook ${hook} priority 0;\n${rules.join("\n")}\n}`;
}

function portName(port: number): string {
  return `port${port}`;
}
