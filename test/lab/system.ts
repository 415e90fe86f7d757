/** A system that nodes can boot, and the server that runs on it. */
interface System {
  name: string;
  suite: string;
  /** What the nodes' mirror holds, with everything that these need and the base lacks. */
  mirror: readonly string[];
  /** `roles.mysql.engine` of its pairs. */
  engine: "mariadb" | "mysql";
  unit: string;
  /** The command line client of its server packages. */
  client: string;
  /** apt's settings while the image is built. */
  apt: string;
  /** Flags of init and join: preflight checks that are known to say no. */
  flags: readonly string[];
}

const mariadb = {
  mirror: ["mariadb-server", "mariadb-backup", "keepalived"],
  engine: "mariadb",
  unit: "mariadb.service",
  client: "mariadb",
  apt: 'Acquire::Check-Valid-Until "true";',
  flags: [],
} as const;

const systems: readonly System[] = [
  { name: "debian-12", suite: "bookworm", ...mariadb },
  { name: "debian-13", suite: "trixie", ...mariadb },
  {
    name: "debian-sid",
    suite: "sid",
    mirror: ["mysql-server", "keepalived"],
    engine: "mysql",
    unit: "mysql.service",
    client: "mysql",
    // A mirror may keep a state of sid whose Release file has run out.
    apt: 'Acquire::Check-Valid-Until "false";',
    flags: ["--ignore", "system"],
  },
];

/** What all nodes of this process run: CHIME_LAB_SYSTEM, so that the same tests run over all systems. */
export const system: System = choose(process.env["CHIME_LAB_SYSTEM"] || "debian-12");

/** @throws Error naming those that there are */
function choose(name: string): System {
  const found = systems.find((system) => system.name === name);
  if (found) return found;
  throw new Error(`the lab has no system ${name}, but ${systems.map((system) => system.name).join(", ")}`);
}
