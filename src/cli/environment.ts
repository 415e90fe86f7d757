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
 * Read by native code of the runtime or the linker, before or beneath `process.env`: deleting them there changes
 * nothing (seen: a certificate from SSL_CERT_FILE is still trusted).
 */
const native = /^(BUN_|NODE_|SSL_|LD_|OPENSSL_|MALLOC_)|_PROXY$/i;

type Environment = Record<string, string | undefined>;

/**
 * A root binary must not be led astray by the shell it was started from: variables change which certificates are
 * trusted (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE), where requests go (HTTP_PROXY), what Bun does (BUN_*) and which
 * database an empty field means (DATABASE_URL, MYSQL_*). So it is a list of what stays, not of what goes.
 */
export function cleanEnvironment(env: Environment): Record<string, string> {
  const clean: Record<string, string> = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  };
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && (kept.has(name) || name.startsWith("CHIME_"))) clean[name] = value;
  }
  return clean;
}

/** True where only a new process image gets rid of what the environment holds. */
export function needsFreshProcess(env: Environment): boolean {
  return Object.keys(env).some((name) => native.test(name));
}

/** Makes `env` what `cleanEnvironment` says, in place. */
export function scrubEnvironment(env: Environment): void {
  const clean = cleanEnvironment(env);
  for (const name of Object.keys(env)) if (!(name in clean)) delete env[name];
  Object.assign(env, clean);
}
