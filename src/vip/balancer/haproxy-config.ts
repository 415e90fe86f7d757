import { statsSocket } from "./haproxy-socket.ts";
import { holdRule, holdScript } from "./hold.ts";
import { shutdownScript } from "./shutdown-sessions.ts";
import type { BalancedService, Backend, Route } from "./types.ts";

/** How its first line begins: the check `haproxy.foreign` tells ours from another's by it. */
export const configMarker = "# Written by chime-node";

/**
 * Connections that haproxy can have open; by default it takes what the process may have, a billion in some containers,
 * and its tables with them.
 */
const maxConnections = 4096;

/**
 * Bytes of each of a connection's two buffers; with less (16 KB by default), and without splicing, objects of 1 MB came
 * half as fast through it as past it.
 */
const bufferBytes = 65_536;

/** A process that was told to stop, or replaced at a reload, ends what it is answering: a large object takes a while. */
const hardStopAfter = "30m";

/**
 * A backend on the same network accepts within a millisecond; one that has vanished never does. So long does a request
 * wait before it goes to another one, and a check before it has failed.
 */
const connectMs = 500;

/** Bad checks in a row that take a backend out: one can be chance. */
const fall = 2;

/**
 * From the first check that says another thing than those before, they come so fast: one more that is bad, and the backend
 * is out. On its way back, too (`fastinter`): the good ones that it takes are counted at this pace.
 */
const fastCheckMs = 100;
const fewestGood = 2;

/** Safe in the words of RFC 9110 §9.2.1: asked twice, they have done nothing twice. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * haproxy.cfg for these services, in the dialect of 2.4 (haproxy's configuration.txt). Pure: the same input gives the same bytes.
 * It listens on the services' addresses alone, whether they are on this node now or not.
 */
export function renderHaproxy(clusterId: string, services: readonly BalancedService[]): string {
  return [
    `${configMarker} for cluster ${clusterId}; changes made by hand are undone by \`chime-node apply\`.`,
    "global",
    `    maxconn ${maxConnections}`,
    `    tune.bufsize ${bufferBytes}`,
    `    stats socket ${statsSocket} mode 600 level admin expose-fd listeners`,
    "    stats timeout 10s",
    `    hard-stop-after ${hardStopAfter}`,
    `    lua-load ${shutdownScript}`,
    ...(services.some(({ mode }) => mode === "http") ? [`    lua-load ${holdScript}`] : []),
    "    chroot /var/lib/haproxy",
    "    user haproxy",
    "    group haproxy",
    "",
    "defaults",
    `    timeout connect ${connectMs}ms`,
    // Without a byte either way. A store may think for a minute about the end of a large upload.
    "    timeout client 5m",
    "    timeout server 5m",
    "    timeout tunnel 1h",
    "    timeout http-request 10s",
    // Longer than clients keep idle connections (Go: 90 s), so that they are the ones who close them.
    "    timeout http-keep-alive 2m",
    "    retries 3",
    "    option redispatch 1",
    "    option splice-auto",
    ...services.flatMap(renderService),
    "",
  ].join("\n");
}

function renderService(service: BalancedService): string[] {
  const { name, mode } = service;
  return [
    "",
    `frontend ${name}`,
    `    mode ${mode}`,
    `    bind ${service.address}:${service.port}${service.tls ? ` ssl crt ${service.tls.cert} ssl-min-ver TLSv1.2` : ""}`,
    // What clients say of themselves there, the servers would believe.
    ...(mode === "http"
      ? [
          holdRule(name),
          "    http-request set-header X-Forwarded-For %[src]",
          "    http-request del-header X-Real-IP",
        ]
      : []),
    ...service.routes.map((route) => {
      const to = backendName(service, route);
      return route.methods
        ? `    use_backend ${to} if { method ${route.methods.join(" ")} }`
        : `    default_backend ${to}`;
    }),
    ...service.routes.flatMap((route) => renderRoute(service, route)),
  ];
}

function renderRoute(service: BalancedService, route: Route): string[] {
  const { check } = route;
  return [
    "",
    `backend ${backendName(service, route)}`,
    `    mode ${service.mode}`,
    `    balance ${service.algorithm}`,
    // Where there is no other one to ask, the client does so: the VIP is leaving.
    ...(service.backends.length === 1 ? ["    retries 0"] : []),
    ...(service.mode === "http" ? [`    retry-on ${retryOn(route)}`] : []),
    ...(check.path === undefined
      ? []
      : [
          "    option httpchk",
          // Go's servers answer 400 to HTTP/1.0 and to requests without a Host.
          `    http-check send meth GET uri ${check.path} ver HTTP/1.1 hdr Host ${service.address}`,
          "    http-check expect status 200",
        ]),
    `    timeout check ${check.timeoutMs}ms`,
    // Nobody there is just being sent elsewhere, and the answer has to go out before the VIP leaves.
    ...(service.backends.length === 1 ? ["    default-server on-marked-down shutdown-sessions"] : []),
    ...service.backends.map((backend) => `${renderServer(backend, route)}${trust(service, backend)}`),
  ];
}

/** A connection that was not made can always be made elsewhere; what was sent may be sent again only where that is safe. */
function retryOn({ methods }: Route): string {
  return methods?.every((method) => safeMethods.has(method)) ? "conn-failure empty-response" : "conn-failure";
}

function renderServer({ node, address, port }: Backend, { check }: Route): string {
  const rise = Math.max(fewestGood, Math.ceil(check.backMs / fastCheckMs));
  const timing = `inter ${check.everyMs}ms fastinter ${fastCheckMs}ms rise ${rise} fall ${fall}`;
  const elsewhere = check.port === undefined || check.port === port ? "" : ` port ${check.port}`;
  return `    server ${node} ${address}:${port} check${elsewhere} ${timing}`;
}

/** Checks too, which by themselves would not where they are on another port. */
function trust({ tls }: BalancedService, { node }: Backend): string {
  return tls ? ` ssl check-ssl verify required ca-file ${tls.ca} verifyhost ${node}.${tls.domain}` : "";
}

/** One of a service's backends is a route of it; of these the statistics speak. */
function backendName(service: Pick<BalancedService, "name">, route: Pick<Route, "name">): string {
  return `${service.name}.${route.name}`;
}
