import { expect, test } from "bun:test";
import type { VipInstance } from "../../src/vip/instances.ts";
import { peersIn, renderKeepalived } from "../../src/vip/keepalived.ts";

const instance: VipInstance = {
  name: "mysql",
  virtualRouterId: 19,
  priority: 150,
  interface: "eth0",
  address: "10.0.0.30/32",
  source: "10.0.0.11",
  peers: ["10.0.0.12"],
  trackFile: "/run/chime-node/vip/mysql.eligible",
};
const node = { name: "node1", clusterId: "c0ffee", version: [2, 2, 7] as const };

test("the whole file of a pair's first node", () => {
  expect(renderKeepalived(node, [instance])).toBe(
    `# Written by chime-node for cluster c0ffee; changes made by hand are undone by \`chime-node apply\`.
global_defs {
    router_id node1
    enable_script_security
    script_user root
    vrrp_notify_fifo /run/chime-node/vip/notify.fifo root root
    vrrp_garp_master_refresh 60
    vrrp_garp_lower_prio_repeat 1
    vrrp_higher_prio_send_advert true
    max_auto_priority 99
}

track_file mysql {
    file "/run/chime-node/vip/mysql.eligible"
    weight 0 reverse
}
vrrp_instance mysql {
    state BACKUP
    nopreempt
    version 3
    interface eth0
    virtual_router_id 19
    priority 150
    advert_int 0.1
    down_timer_adverts 7
    unicast_src_ip 10.0.0.11
    check_unicast_src
    unicast_peer {
        10.0.0.12
    }
    virtual_ipaddress {
        10.0.0.30/32 dev eth0 label eth0:mysql
    }
    track_file {
        mysql
    }
}
`,
  );
});

test("a node alone names the loopback address as its peer: an empty block would mean multicast", () => {
  expect(renderKeepalived(node, [{ ...instance, peers: [] }])).toContain(
    "unicast_peer {\n        127.0.0.1\n    }",
  );
});

test.each([
  [[2, 1, 5], "advert_int 0.25", false],
  [[2, 2, 2], "advert_int 0.25", false],
  [[2, 2, 3], "advert_int 0.1", true],
  [[2, 3, 0], "advert_int 0.1", true],
  [[3, 0, 0], "advert_int 0.1", true],
] as const)("version %p: %s, down_timer_adverts %p", (version, interval, downTimer) => {
  const text = renderKeepalived({ ...node, version }, [instance]);
  expect(text).toContain(`    ${interval}\n`);
  expect(text.includes("down_timer_adverts")).toBe(downTimer);
});

test.each([
  ["enp0s31f6", "label enp0s31f6:mysql"],
  ["enp130s0f1np0", "label enp130s0f1np0:m"],
  ["enx001122334455", undefined],
])("the label on %s is at most 15 characters, or there is none", (name, label) => {
  const line = renderKeepalived(node, [{ ...instance, interface: name }])
    .split("\n")
    .find((text) => text.includes(" dev "));
  expect(line?.trim()).toBe(`10.0.0.30/32 dev ${name}${label ? ` ${label}` : ""}`);
});

test("two VIPs are two instances with a track file each", () => {
  const other = {
    ...instance,
    name: "minio",
    virtualRouterId: 20,
    trackFile: "/run/chime-node/vip/minio.eligible",
  };
  const text = renderKeepalived(node, [instance, other]);
  expect(text.match(/^vrrp_instance \w+/gm)).toEqual(["vrrp_instance mysql", "vrrp_instance minio"]);
  expect(text.match(/^track_file \w+/gm)).toEqual(["track_file mysql", "track_file minio"]);
});

test("the peers of an instance are read back from what was written", () => {
  const other = { ...instance, name: "minio", peers: ["10.0.0.13", "10.0.0.14"] };
  const text = renderKeepalived(node, [{ ...instance, peers: [] }, other]);
  expect(peersIn(text, "mysql")).toEqual([]);
  expect(peersIn(text, "minio")).toEqual(["10.0.0.13", "10.0.0.14"]);
  expect(peersIn(text, "server")).toEqual([]);
});
