import { quote } from "../sql.ts";
import { contentsAt, parseGtids } from "./mariadb-gtid.ts";
import type { Streaming } from "./types.ts";

/**
 * mariadb-backup (Debian has it as a package of its own). It logs in as the server's own user over the socket, which
 * MariaDB knows without a password since 10.4 (unix_socket). Tried on 10.11.
 */
export const mariadbBackup: Streaming = {
  by: "stream",
  aside: 0,
  backup: ({ backup, socket, data, user }) => [
    backup,
    "--backup",
    "--stream=mbstream",
    `--user=${user}`,
    `--socket=${socket}`,
    `--datadir=${data}`,
    // It keeps nothing there while it streams, and wants one all the same.
    "--target-dir=/tmp",
  ],
  unpack: ({ unpack }, directory) => [unpack, "--extract", `--directory=${directory}`],
  prepare: ({ backup }, directory) => [backup, "--prepare", `--target-dir=${directory}`],
  // The first names are of 10.x, the others of 11.x.
  notes: [
    "xtrabackup_binlog_info",
    "mariadb_backup_binlog_info",
    "xtrabackup_binlog_pos_innodb",
    "mariadb_backup_binlog_pos_innodb",
    "xtrabackup_checkpoints",
    "mariadb_backup_checkpoints",
    "xtrabackup_info",
    "mariadb_backup_info",
    "backup-my.cnf",
  ],
  /** `FILE<tab>OFFSET<tab>GTID`, without the last where nothing was ever written. */
  position(note) {
    const gtid = note.trim().split("\t")[2] ?? "";
    parseGtids(gtid);
    return gtid;
  },
  contents: contentsAt,
  skips: /^(chime-bin|chime-relay|ibtmp|ib_buffer_pool|#innodb_temp)/,
  async takeUp(session, { position, contents }) {
    // Refused where the log is not empty: then it was done before.
    const [row] = await session.rows("SELECT @@GLOBAL.gtid_binlog_state AS state");
    if (row?.["state"] === "" && contents !== "") {
      await session.run([`SET GLOBAL gtid_binlog_state = ${quote(contents)}`]);
    }
    await session.run([`SET GLOBAL gtid_slave_pos = ${quote(position)}`]);
  },
};
