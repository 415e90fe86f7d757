/** Every path the product owns (design.md §5). Nothing else writes these strings. */
export const paths = {
  binary: "/usr/local/bin/chime-node",
  config: "/etc/chime-node",
  clusterToml: "/etc/chime-node/cluster.toml",
  secretsToml: "/etc/chime-node/secrets.toml",
  token: "/etc/chime-node/token",
  pki: "/etc/chime-node/pki",
  state: "/var/lib/chime-node",
  ledger: "/var/lib/chime-node/ledger.jsonl",
  backups: "/var/lib/chime-node/backups",
  terms: "/var/lib/chime-node/terms",
  history: "/var/lib/chime-node/history.jsonl",
  maintenance: "/var/lib/chime-node/maintenance.json",
  /** What one node of a pair had and the other one did not, as SQL. */
  extras: "/var/lib/chime-node/extras",
  /** Imported bundles, each in a directory of its own. */
  bundles: "/var/lib/chime-node/bundles",
  /** Public keys that an operator gave, one a line. */
  trustedKeys: "/var/lib/chime-node/trusted-keys",
  /** The disks that were given to this node's roles. */
  disks: "/var/lib/chime-node/disks.json",
  /** Which place in the layout of the S3 store this node has. */
  minioSlot: "/var/lib/chime-node/minio-slot",
  /** Is there while objects of the S3 store may not be on all drives that they should be on. */
  minioOwes: "/var/lib/chime-node/minio-owes",
  /** Which of two stores that copy to each other counts. */
  minioMirror: "/var/lib/chime-node/minio-mirror.json",
  /** With which program an operator had all servers of the S3 store restarted, until that was done. */
  minioRestart: "/var/lib/chime-node/minio-restart",
  /** Which CAs the S3 store's server was last seen to have on the disk, and which run of it goes by others. */
  minioTrust: "/var/lib/chime-node/minio-trust.json",
  /** Since when this node's InfluxDB may lack what its twin has. */
  influxdbGap: "/var/lib/chime-node/influxdb-gap.json",
  /** Tokens that may only read, or only write: a server may tell them only once. */
  influxdbTokens: "/var/lib/chime-node/influxdb-tokens.json",
  /** How far the filling of that has come. */
  influxdbFill: "/var/lib/chime-node/influxdb-fill.json",
  /** The same of a repair by hand. */
  influxdbRepair: "/var/lib/chime-node/influxdb-repair.json",
  /** What was deleted of its points, and on which node: no repair brings that back. */
  influxdbDeletions: "/var/lib/chime-node/influxdb-deletions.json",
  run: "/run/chime-node",
  socket: "/run/chime-node/agent.sock",
  /** Track files and the notify FIFO: what agent and keepalived say to each other. */
  vip: "/run/chime-node/vip",
} as const;

/** TCP between agents; also the UDP port that gossip will use (design.md §4). */
export const agentPort = 8820;
/** Prometheus metrics, loopback only. */
export const metricsPort = 8821;
