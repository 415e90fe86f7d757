import type { Check } from "../../host/checks.ts";
import type { FileResource } from "../../resources/file.ts";
import type { Resource } from "../../resources/types.ts";
import type { RoleContext } from "../../roles/types.ts";

/** One server that answers a service: a node's own, at the node's own address. */
export interface Backend {
  node: string;
  address: string;
  port: number;
}

/** How a backend is found to be well: by every node's balancer, for itself. */
export interface HealthCheck {
  /** A GET of it must be answered by 200; without it a connection that is accepted is enough. */
  path?: string;
  /** Where another port of the same server knows better than the one that serves. */
  port?: number;
  everyMs: number;
  /** For the answer, once a connection is there; for the connection itself at most `everyMs`. */
  timeoutMs: number;
  /** How long a backend that was out has to be well before it is used again. */
  backMs: number;
}

/** Requests of one kind, and the check that says which backends can answer them. */
export interface Route {
  /** `[a-z]+`, unique in its service, e.g. `read`. */
  name: string;
  /** HTTP methods that belong here; without them: all that no route before it has taken. The last route has none. */
  methods?: readonly string[];
  check: HealthCheck;
}

/**
 * What passes is decrypted in between: which server a request goes to depends on its method, and one that was refused is
 * tried again elsewhere.
 */
export interface ServiceTls {
  /** Where the balancer's certificate is, its key beside it (`.key`), and the CA that the servers' come from. */
  cert: string;
  ca: string;
  /** A server's certificate has to name its node: `NODE.DOMAIN`. */
  domain: string;
  /** What puts the files there; they are read anew when they change. */
  certificate: FileResource;
}

/**
 * What clients reach at a VIP and the nodes' own servers answer. The port of the VIP is a backend's port, too, so the
 * role that owns the servers opens it; they listen on their nodes' addresses alone.
 */
export interface BalancedService {
  /** `[a-z][a-z0-9-]*`, unique on a node, e.g. `minio`. */
  name: string;
  /** The VIP, without its prefix. */
  address: string;
  port: number;
  /** What is balanced: requests, or connections whatever they carry (then there is one route). */
  mode: "http" | "tcp";
  algorithm: "leastconn" | "roundrobin";
  routes: readonly Route[];
  backends: readonly Backend[];
  /** Clients speak TLS with it, and it with the servers: of mode `http`. None: nobody does. */
  tls?: ServiceTls;
}

/** What one balancer thinks of one backend of a route, now. */
export interface BackendView {
  service: string;
  route: string;
  node: string;
  up: boolean;
  /** It is out, and its checks have begun to be good again. */
  rising: boolean;
  /** Requests or connections that it is answering. */
  sessions: number;
}

/** What spreads a service over its backends, on each of its nodes; the one that holds the VIP is the one that is used. */
export interface Balancer {
  /** What of the catalog a node needs for it. */
  readonly products: readonly string[];
  /** Preflight: what may not be in its way on this node. */
  checks(clusterId: string): Check[];
  /**
   * It, with these services, by the phase that the resources complete. Pure.
   * @throws ChimeError `host.unsupported`
   */
  resources(input: { context: RoleContext; services: readonly BalancedService[] }): {
    installed: Resource[];
    configured: Resource[];
  };
  /** What this node's balancer thinks of all backends; none where it does not run. @throws ChimeError `balancer.stats` */
  view(): Promise<BackendView[]>;
  /**
   * Has this node's balancer use a backend that is rising, which then is out again after its first bad check.
   * @throws ChimeError `balancer.stats`
   */
  admit(backend: Pick<BackendView, "service" | "route" | "node">): Promise<void>;
  /**
   * Has this node's balancer let requests of a service of mode `http` wait that come from now on, for so long at most; those
   * that are under way go on.
   * @throws ChimeError `balancer.stats`
   */
  hold(service: string, seconds: number): Promise<void>;
  /** Lets those that wait go on. @throws ChimeError `balancer.stats` */
  release(service: string): Promise<void>;
  /** The one that runs now. @throws ChimeError `balancer.down` */
  find(): Promise<RunningBalancer>;
  /** Ends one that was told to stop by an agent that is no more. */
  endStopped(): Promise<void>;
}

/** One run of a balancer: when it has ended, its unit starts another one. */
export interface RunningBalancer {
  /** Has it take nothing new from this moment on, and end what it is answering. */
  stopTaking(): void;
  /** Ends it at once, where it still answers somebody. */
  end(): Promise<void>;
}

/** Whether one of the route's backends can be given a request now. */
export function serves(view: readonly BackendView[], service: string, route: string): boolean {
  return view.some((backend) => backend.service === service && backend.route === route && backend.up);
}
