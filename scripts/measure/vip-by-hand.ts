import type { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";

/**
 * A floating address as a careful administrator gives it to all nodes of a lab, without anything that moves it by what a
 * server answers: without it there would be nothing to compare a cluster behind its address with. It comes up as fast as
 * ours, by the same adverts: with keepalived's own the hand would wait for 3 s, and be told to be slower than it need be.
 */
export async function startKeepalived({ nodes }: Lab, node: LabNode, address: string): Promise<void> {
  const peers = nodes.filter((other) => other !== node).map((other) => other.address);
  const config = `vrrp_instance by_hand {
    state BACKUP
    nopreempt
    version 3
    interface eth0
    virtual_router_id 7
    priority ${100 - nodes.indexOf(node)}
    advert_int 0.1
    down_timer_adverts 7
    unicast_src_ip ${node.address}
    unicast_peer {
        ${peers.join("\n        ")}
    }
    virtual_ipaddress {
        ${address}/24
    }
}
`;
  await node.put("/etc/keepalived/keepalived.conf", config);
  await node.sh("keepalived -t && systemctl start keepalived");
}

/** Resolves once a client of the lab gets an answer that is well from there; one program asks again and again. */
export async function untilAnswers(lab: Lab, url: string): Promise<void> {
  const ask = `fetch("${url}", { signal: AbortSignal.timeout(1000) }).then(({ ok }) => ok, () => false)`;
  const script = `while (!(await ${ask})) await Bun.sleep(20)`;
  await lab.client.run([process.execPath, "-e", script], { timeoutMs: 60_000 });
}
