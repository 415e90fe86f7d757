import { expect, test } from "bun:test";
import { file } from "../../../src/resources/file.ts";
import { renderHaproxy } from "../../../src/vip/balancer/haproxy-config.ts";
import type { BalancedService } from "../../../src/vip/balancer/types.ts";
import { store, tcp } from "./fixtures.ts";

test("the whole file of a store with two nodes", () => {
  expect(renderHaproxy("c0ffee", [store])).toBe(
    `# Written by chime-node for cluster c0ffee; changes made by hand are undone by \`chime-node apply\`.
global
    maxconn 4096
    tune.bufsize 65536
    stats socket /run/haproxy/chime-node.sock mode 600 level admin expose-fd listeners
    stats timeout 10s
    hard-stop-after 30m
    lua-load /etc/haproxy/chime-node-shutdown.lua
    lua-load /etc/haproxy/chime-node-hold.lua
    chroot /var/lib/haproxy
    user haproxy
    group haproxy

defaults
    timeout connect 500ms
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    timeout http-request 10s
    timeout http-keep-alive 2m
    retries 3
    option redispatch 1
    option splice-auto

frontend store
    mode http
    bind 10.0.0.50:9000
    http-request lua.chime_hold store if { str(store),map(/etc/haproxy/chime-node-held.map) -m found }
    http-request set-header X-Forwarded-For %[src]
    http-request del-header X-Real-IP
    use_backend store.read if { method GET HEAD }
    default_backend store.write

backend store.read
    mode http
    balance leastconn
    retry-on conn-failure empty-response
    option httpchk
    http-check send meth GET uri /health/read ver HTTP/1.1 hdr Host 10.0.0.50
    http-check expect status 200
    timeout check 15000ms
    server node1 10.0.0.11:9000 check port 9100 inter 1000ms fastinter 100ms rise 2 fall 2
    server node2 10.0.0.12:9000 check port 9100 inter 1000ms fastinter 100ms rise 2 fall 2

backend store.write
    mode http
    balance leastconn
    retry-on conn-failure
    option httpchk
    http-check send meth GET uri /health ver HTTP/1.1 hdr Host 10.0.0.50
    http-check expect status 200
    timeout check 15000ms
    server node1 10.0.0.11:9000 check inter 1000ms fastinter 100ms rise 200 fall 2
    server node2 10.0.0.12:9000 check inter 1000ms fastinter 100ms rise 200 fall 2
`,
  );
});

test("a service of bare connections is checked by connecting, and tries no request again", () => {
  const text = renderHaproxy("c0ffee", [tcp]);
  expect(text.slice(text.indexOf("frontend "))).toBe(`frontend portal
    mode tcp
    bind 10.0.0.20:80
    default_backend portal.all

backend portal.all
    mode tcp
    balance roundrobin
    timeout check 15000ms
    server node1 10.0.0.11:8033 check inter 1000ms fastinter 100ms rise 2 fall 2
    server node2 10.0.0.12:8033 check inter 1000ms fastinter 100ms rise 2 fall 2
`);
});

test("the same services give the same bytes, whoever asks", () => {
  const copy: BalancedService[] = structuredClone([store, tcp]);
  expect(renderHaproxy("c0ffee", copy)).toBe(renderHaproxy("c0ffee", [store, tcp]));
});

test("it listens on the services' addresses alone", () => {
  const binds = renderHaproxy("c0ffee", [store, tcp]).match(/^ *bind .*$/gm);
  expect(binds?.map((line) => line.trim())).toEqual(["bind 10.0.0.50:9000", "bind 10.0.0.20:80"]);
});

test("only requests that may be asked twice are sent again", () => {
  const methods = (...names: string[]) => {
    const service = { ...store, routes: [{ ...store.routes[0]!, methods: names }, store.routes[1]!] };
    return renderHaproxy("c0ffee", [service]).match(/retry-on (.*)/)?.[1];
  };
  expect(methods("GET", "HEAD")).toBe("conn-failure empty-response");
  expect(methods("GET", "DELETE")).toBe("conn-failure");
});

test("where there is one backend alone, a client is told at once that it is gone", () => {
  const atOnce = (service: BalancedService) =>
    renderHaproxy("c0ffee", [service]).match(
      /^ +(retries 0|default-server on-marked-down shutdown-sessions)$/gm,
    );
  expect(atOnce({ ...store, backends: store.backends.slice(0, 1) })).toHaveLength(4);
  expect(atOnce(store)).toBeNull();
});

test("over TLS it trusts servers whose certificate names their node, when it asks how they are, too", () => {
  const tls = {
    cert: "/etc/haproxy/a.pem",
    ca: "/etc/haproxy/ca.pem",
    domain: "chime.com",
    certificate: file({ path: "/etc/haproxy/a.pem", content: "" }),
  };
  const lines = renderHaproxy("c0ffee", [{ ...store, tls }]).split("\n");
  expect(lines.filter((line) => line.includes(" bind "))).toEqual([
    "    bind 10.0.0.50:9000 ssl crt /etc/haproxy/a.pem ssl-min-ver TLSv1.2",
  ]);
  const servers = lines.filter((line) => line.startsWith("    server "));
  expect(servers).toHaveLength(4);
  for (const line of servers) {
    const node = line.split(" ")[5];
    expect(line).toEndWith(
      ` ssl check-ssl verify required ca-file /etc/haproxy/ca.pem verifyhost ${node}.chime.com`,
    );
  }
});
