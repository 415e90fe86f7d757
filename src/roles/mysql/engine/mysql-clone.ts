import { text } from "../client.ts";
import { quote } from "../sql.ts";
import { union } from "./gtid-set.ts";
import type { ClonePlaces, Cloning, SourceSettings } from "./types.ts";

/**
 * The clone plugin (https://dev.mysql.com/doc/refman/9.7/en/clone-plugin-remote.html). The node's own server has no part
 * in it: it may be down, and it goes on serving as a replica otherwise. A clone into another server's data directory is
 * refused, and one within the own data directory, too: so the server that fetches has an empty one beside the copy.
 * Tried on 9.7.4.
 */
export const mysqlClone: Cloning = {
  by: "clone",
  // In directories that begin with a dot the server looks for no tables (tried: it starts beside a whole copy).
  skips: /^(chime-bin|chime-relay|ibtmp|ib_buffer_pool|#innodb_temp|#innodb_redo|#ib_|binlog\.)/,
  // The empty data directory, and what the copy's first start adds.
  aside: 192 << 20,

  async settings(session) {
    const [row = {}] = await session.rows(
      `SELECT ${agreed.map((name) => `@@GLOBAL.${name} AS ${name}`).join(", ")}`,
    );
    const libraries = await session.rows(
      `SELECT DISTINCT plugin_library AS name FROM information_schema.plugins
        WHERE plugin_library IS NOT NULL AND plugin_status = 'ACTIVE'`,
    );
    return {
      ...Object.fromEntries(agreed.map((name) => [name, text(row[name])])),
      plugins: libraries.map(({ name }) => text(name)).join(";"),
    };
  },

  initialize: ({ server, empty }, settings) => [
    server,
    "--no-defaults",
    "--initialize-insecure",
    `--datadir=${empty}`,
    ...lean,
    ...inAgreement(settings),
  ],

  fetcher: (places, settings, source) => [
    ...alone(places, places.empty, settings),
    `--clone-valid-donor-list=${source.host}:${source.port}`,
    `--clone-ssl-ca=${source.ca}`,
    `--clone-ssl-cert=${source.cert}`,
    `--clone-ssl-key=${source.key}`,
  ],

  async fetch(session, { directory }, { user, host, port, password }) {
    // Over the socket, and in no binary log: that of this server is off.
    await session.run([
      `CLONE INSTANCE FROM ${quote(user)}@${quote(host)}:${port} IDENTIFIED BY ${quote(password)}
        DATA DIRECTORY = ${quote(directory)} REQUIRE SSL`,
    ]);
  },

  async progress(session) {
    const [row] = await session.rows("SELECT SUM(data) AS bytes FROM performance_schema.clone_progress");
    return Number(row?.["bytes"] ?? 0);
  },

  finisher: (places, settings) => [
    ...alone(places, places.directory, settings),
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--skip-replica-start",
    "--event-scheduler=OFF",
  ],

  async finish(session) {
    // Whom the source replicated from once.
    await session.run(["RESET REPLICA ALL"]);
    const [row] = await session.rows("SELECT @@GLOBAL.gtid_executed AS executed");
    return union(text(row?.["executed"]), "");
  },

  // It knows: what was executed is in a table of its own.
  takeUp: () => Promise.resolve(),
};

/** The plugin refuses a source that has these otherwise; a server with other names or files cannot open the data. */
const agreed = [
  "character_set_server",
  "collation_server",
  "character_set_filesystem",
  "lower_case_table_names",
  "innodb_page_size",
  "innodb_data_file_path",
];

function inAgreement(settings: SourceSettings): string[] {
  return agreed.flatMap((name) => {
    const value = settings[name];
    return value === undefined ? [] : [`--${name.replaceAll("_", "-")}=${value}`];
  });
}

/** It serves nobody. */
const lean = [
  "--innodb-buffer-pool-size=32M",
  "--innodb-redo-log-capacity=8M",
  "--skip-log-bin",
  "--auto-generate-certs=OFF",
  "--caching-sha2-password-auto-generate-rsa-keys=OFF",
  "--log-error-verbosity=1",
];

/** None of the node's own options: files that they name are the node's own server's. */
function alone(
  { server, socket }: ClonePlaces,
  data: string,
  { plugins = "", ...settings }: SourceSettings,
): string[] {
  return [
    server,
    "--no-defaults",
    `--datadir=${data}`,
    `--socket=${socket}`,
    `--pid-file=${socket}.pid`,
    "--skip-networking",
    "--mysqlx=OFF",
    ...lean,
    // The plugin demands all that the source has.
    ...(plugins === "" ? [] : [`--plugin-load=${plugins}`]),
    ...inAgreement(settings),
  ];
}
