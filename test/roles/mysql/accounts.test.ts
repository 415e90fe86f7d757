import { describe, expect, test } from "bun:test";
import type { Member } from "../../../src/cluster/types.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import { desiredAccounts, missing as missingFor, type Present } from "../../../src/roles/mysql/accounts.ts";
import { mariadb } from "../../../src/roles/mysql/engine/mariadb.ts";
import { mysql } from "../../../src/roles/mysql/engine/mysql.ts";
import { nativeHash } from "../../../src/roles/mysql/engine/native-password.ts";
import { sha2Password, shaCrypt } from "../../../src/roles/mysql/engine/sha2-password.ts";

const node = (index: number, ...roles: string[]) =>
  ({ index, address: `10.0.0.${index}`, roles }) as unknown as Member;
const context = {
  spec: { roles: { mysql: { engine: "mariadb", databases: ["chime", "por`tal"] } } },
  members: [node(1, "mysql"), node(2, "mysql", "witness"), node(3, "witness")],
  secrets: { mysql: { replication: "R".repeat(32), application: "A".repeat(32) } },
} as unknown as RoleContext;
const desired = desiredAccounts(context);
const nothing: Present = { databases: ["mysql"], accounts: [] };
const missing = (wanted: typeof desired, present: Present) => missingFor(wanted, present, mariadb);
const hex = (text: string) => Buffer.from(text, "latin1").toString("hex").toUpperCase();

/** What the server holds after everything was made. */
const whole: Present = {
  databases: ["mysql", "chime", "por`tal"],
  accounts: [
    ...["10.0.0.1", "10.0.0.2"].map((host) => ({
      user: "chime_repl",
      host,
      hash: hex(nativeHash("R".repeat(32))),
      requireTls: true,
      grants: [
        `GRANT REPLICATION SLAVE ON *.* TO \`chime_repl\`@\`${host}\` IDENTIFIED BY PASSWORD '*…' REQUIRE SSL`,
      ],
    })),
    {
      user: "chime",
      host: "%",
      hash: hex(nativeHash("A".repeat(32))),
      requireTls: false,
      grants: [
        "GRANT USAGE ON *.* TO `chime`@`%` IDENTIFIED BY PASSWORD '*…'",
        "GRANT ALL PRIVILEGES ON `chime`.* TO `chime`@`%`",
        "GRANT ALL PRIVILEGES ON `por``tal`.* TO `chime`@`%`",
      ],
    },
  ],
};

function without(user: string, change: Partial<Present["accounts"][number]>): Present {
  return {
    ...whole,
    accounts: whole.accounts.map((one) => (one.user === user ? { ...one, ...change } : one)),
  };
}

test("an account for each node of the role, from its address alone", () => {
  expect(desired.accounts.map(({ user, host, requireTls }) => [user, host, requireTls])).toEqual([
    ["chime_repl", "10.0.0.1", true],
    ["chime_repl", "10.0.0.2", true],
    ["chime", "%", false],
  ]);
});

test("made from nothing; the lines that a plan shows hold no secret", () => {
  const steps = missing(desired, nothing);
  expect(steps.map(({ line }) => line)).toEqual([
    "+ database chime (utf8mb4)",
    "+ database por`tal (utf8mb4)",
    "+ account chime_repl@10.0.0.1 (TLS required)",
    "+ account chime_repl@10.0.0.2 (TLS required)",
    "+ account chime@%",
  ]);
  expect(steps.flatMap(({ statements }) => statements)).toContain(
    "GRANT ALL PRIVILEGES ON `por``tal`.* TO 'chime'@'%'",
  );
  expect(steps.at(2)?.statements[0]).toEndWith("REQUIRE SSL");
});

test("a server that copies itself has an account for that and nothing else, which goes with its node", () => {
  const cloning = { ...context, spec: { roles: { mysql: { engine: "mysql", databases: [] } } } };
  const wanted = desiredAccounts(cloning as unknown as RoleContext);
  const clone = wanted.accounts.filter(({ user }) => user === "chime_clone");
  expect(clone.map(({ host, requireTls, grants }) => [host, requireTls, grants])).toEqual(
    ["10.0.0.1", "10.0.0.2"].map((host) => [host, true, [{ privileges: "BACKUP_ADMIN", on: "*.*" }]]),
  );
  const gone = { user: "chime_clone", host: "10.0.0.9", hash: "", requireTls: true, grants: [] };
  expect(missing(desired, { ...whole, accounts: [...whole.accounts, gone] }).map(({ line }) => line)).toEqual(
    ["- account chime_clone@10.0.0.9"],
  );
});

test("nothing to do once it is there", () => expect(missing(desired, whole)).toEqual([]));

describe("put right when changed by hand", () => {
  const lines = (present: Present) => missing(desired, present).map(({ line }) => line);
  test("another password", () =>
    expect(lines(without("chime", { hash: hex(nativeHash("x")) }))).toEqual(["~ account chime@%"]));
  test("more rights than its databases", () => {
    const grants = ["GRANT ALL PRIVILEGES ON *.* TO `chime`@`%`"];
    expect(lines(without("chime", { grants }))).toEqual(["~ account chime@%"]);
  });
  test("replication without TLS", () => {
    expect(lines(without("chime_repl", { requireTls: false }))).toHaveLength(2);
  });
  test("a node that left", () => {
    const gone = { user: "chime_repl", host: "10.0.0.9", hash: "", requireTls: true, grants: [] };
    expect(lines({ ...whole, accounts: [...whole.accounts, gone] })).toEqual([
      "- account chime_repl@10.0.0.9",
    ]);
  });
  test("somebody else's account is not ours to touch", () => {
    const other = { user: "backup", host: "%", hash: "", requireTls: false, grants: [] };
    expect(lines({ ...whole, accounts: [...whole.accounts, other] })).toEqual([]);
  });
});

test("the native hash, by MariaDB's PASSWORD('secret')", () => {
  expect(nativeHash("secret")).toBe("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
});

test("no statement holds a password: the binary log keeps them as they are", () => {
  const text = missing(desired, nothing)
    .flatMap(({ statements }) => statements)
    .join("\n");
  for (const secret of Object.values(context.secrets["mysql"] ?? {})) {
    expect(text).not.toContain(secret);
    expect(text).toContain(nativeHash(secret));
  }
});

test("the hash is the server's own (MariaDB manual, PASSWORD)", () => {
  expect(nativeHash("notagoodpwd")).toBe("*3A70EE9FC6594F88CE9E959CD51C5A1C002DC937");
});

test("the application gets its databases alone, not those that match their names", () => {
  const spec = { roles: { mysql: { engine: "mariadb", databases: ["app_1"] } } };
  const { accounts } = desiredAccounts({ ...context, spec } as unknown as RoleContext);
  expect(accounts.at(-1)?.grants).toEqual([{ privileges: "ALL PRIVILEGES", on: "`app\\_1`.*" }]);
});

describe("MySQL's caching_sha2_password", () => {
  const steps = missingFor(desired, nothing, mysql);
  const statements = steps.flatMap((step) => step.statements).join("\n");

  test("the digest is SHA-crypt's (openssl passwd -5)", () => {
    const digest = (key: string, salt: string) => shaCrypt(Buffer.from(key), Buffer.from(salt), 5000);
    expect(digest("Hello world!", "saltstring")).toBe("5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    expect(digest("a much longer password, of more than thirty-two bytes", "0123456789abcdef")).toBe(
      "gmx51vLbdYQGJPDYfCCqO4pwuocGpWJyQzWvkDSFI9A",
    );
  });

  test("an account is made with a hash of its own salt, and no statement holds a password", () => {
    for (const secret of Object.values(context.secrets["mysql"] ?? {}))
      expect(statements).not.toContain(secret);
    const [, made = ""] =
      /CREATE USER 'chime'@'%' IDENTIFIED WITH caching_sha2_password AS 0x(\w+)/.exec(statements) ?? [];
    expect(mysql.isCredential(made, "A".repeat(32))).toBe(true);
    expect(mysql.isCredential(made, "B".repeat(32))).toBe(false);
    expect(sha2Password("x")).not.toBe(sha2Password("x"));
  });

  test("nothing to do once it is there, under whatever salt", () => {
    const accounts = desired.accounts.map(({ user, host, password, requireTls, grants }) => ({
      user,
      host,
      requireTls,
      hash: hex(sha2Password(password)),
      grants: [
        ...(user === "chime" ? ["GRANT USAGE ON *.* TO `chime`@`%`"] : []),
        ...grants.map(({ privileges, on }) => `GRANT ${privileges} ON ${on} TO \`${user}\`@\`${host}\``),
      ],
    }));
    expect(missingFor(desired, { databases: whole.databases, accounts }, mysql)).toEqual([]);
  });

  test("what is no such hash is no password's", () => {
    for (const kept of ["", hex(nativeHash("A".repeat(32))), hex("$A$005$short")]) {
      expect(mysql.isCredential(kept, "A".repeat(32))).toBe(false);
    }
  });
});
