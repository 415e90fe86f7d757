/** What we read ourselves; all else goes, because libraries and children read variables that nobody passed to us. */
const kept = new Set([
  "TERM",
  "NO_COLOR",
  // sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), systemd.exec(5)
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
  "INVOCATION_ID",
  "JOURNAL_STREAM",
]);

/**
 * A root binary must not be led astray by the shell it was started from: variables change which certificates are
 * trusted (NODE_TLS_REJECT_UNAUTHORIZED, SSL_CERT_FILE), where requests go (HTTP_PROXY), what Bun does (BUN_*) and
 * which database an empty field means (DATABASE_URL, MYSQL_*). So it is a list of what stays, not of what goes.
 */
export function scrubEnvironment(env: Record<string, string | undefined>): void {
  for (const name of Object.keys(env)) {
    if (!kept.has(name) && !name.startsWith("CHIME_")) delete env[name];
  }
  env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}
