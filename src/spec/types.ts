/** cluster.toml with all defaults filled in (design.md §5). Issues add keys, none changes these. */
export interface Spec {
  cluster: {
    name: string;
    domain: string;
    interface: string;
    packages: "auto" | "os" | "vendor" | "bundle";
    /** `vrid_base`, 1 to 255: only where the derived virtual router ids are taken on the network. */
    vridBase?: number;
    /** Public keys (base64 of the SPKI form): whose bundles members take, and whose they take no more. */
    trustedKeys?: readonly string[];
    revokedKeys?: readonly string[];
  };
  failover: {
    /** What a writer does that can reach neither its peer nor a third voter: go on, or stop. */
    policy: "available" | "safe";
  };
  roles: {
    mysql?: MysqlSpec;
    minio?: MinioSpec;
    influxdb?: InfluxdbSpec;
  };
}

export interface MysqlSpec {
  /** Which of the words this release serves is the role's to say (its preflight checks). */
  topology: "dual-master" | "pxc" | "galera" | "group-replication";
  engine: "percona" | "mysql" | "mariadb";
  /** IPv4, with the prefix it is to have on the interface (32 unless given). */
  vip: { address: string; prefix: number };
  databases: readonly string[];
}

export interface MinioSpec {
  /** Which of the words this release serves is the role's to say (its preflight checks). */
  topology: "pool" | "mirror";
  engine: "silo" | "minio";
  /** The operator's own server program, at the same path on each node; none: it comes as a package. */
  binary?: string;
  /** IPv4, with the prefix it is to have on the interface (32 unless given). */
  vip: { address: string; prefix: number };
  /** The node on which the VIP belongs where several may have it. */
  prefer?: string;
  /** What the store is laid out by, once and for all: it starts when so many nodes are there. */
  nodes: number;
  disksPerNode: number;
  bucket: string;
  /** Its servers and its VIP have certificates of the cluster's CA, and speak nothing else. */
  tls: boolean;
}

export interface InfluxdbSpec {
  /** The operator's own server program, at the same path on each node; none: it comes as a package. */
  binary?: string;
  /** IPv4, with the prefix it is to have on the interface (32 unless given). */
  vip: { address: string; prefix: number };
  /** The node on which the VIP belongs where several may have it. */
  prefer?: string;
  org: string;
  /** Where applications write. */
  bucket: string;
  /** All that are made and kept, that one first. */
  buckets: readonly InfluxdbBucket[];
  /** Its servers have certificates of the cluster's CA, and speak nothing else. */
  tls: boolean;
}

export interface InfluxdbBucket {
  name: string;
  /** 0: for ever. */
  retentionSeconds: number;
}

/** secrets.toml: one table a role, `[A-Za-z0-9]{32}` values. Registered with core/mask.ts when loaded. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;
