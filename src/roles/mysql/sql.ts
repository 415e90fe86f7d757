/**
 * A value as an SQL string literal. Statements that take no parameters (CREATE USER, CHANGE MASTER) need it.
 * Valid under every sql_mode but NO_BACKSLASH_ESCAPES, which `Session` switches off for itself.
 */
export function quote(value: string): string {
  return `'${Array.from(value, (char) => escapes[char] ?? char).join("")}'`;
}

/** A name as a quoted identifier (database, user variable). */
export function identifier(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** An account as MariaDB and MySQL name it: user and host quoted apart. */
export function account({ user, host }: { user: string; host: string }): string {
  return `${quote(user)}@${quote(host)}`;
}

/** https://mariadb.com/kb/en/string-literals/ */
const escapes: Record<string, string> = {
  "\0": "\\0",
  "'": "\\'",
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\u001a": "\\Z",
};
