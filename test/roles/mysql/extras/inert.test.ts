import { expect, test } from "bun:test";
import { mariadb } from "../../../../src/roles/mysql/engine/mariadb.ts";
import { mysql } from "../../../../src/roles/mysql/engine/mysql.ts";
import { Inert } from "../../../../src/roles/mysql/extras/inert.ts";

const dump = `# at 4
/*!100001 SET @@session.gtid_domain_id=0*//*!*/;
/*!100001 SET @@session.server_id=2*//*!*/;
/*!100001 SET @@session.gtid_seq_no=98714*//*!*/;
/*!50530 SET @@SESSION.PSEUDO_SLAVE_MODE=1*/;
BINLOG '/*!100001 SET @@session.server_id=2*/'
### \xff\xfe '${"x".repeat(9000)}/*!100001 SET @@session.server_id=2*/'
/*!100001 SET @@session.server_id=3*//*!*/;
last`;

function through(size: number): string {
  const inert = new Inert(mariadb.tail.inert);
  const all = Buffer.from(dump, "latin1");
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += size) pieces.push(inert.push(all.subarray(at, at + size)));
  return Buffer.concat([...pieces, inert.end()]).toString("latin1");
}

test("old numbers are told and not given again; everything else is as it was, however it is cut", () => {
  const expected = dump.replaceAll(/^\/\*!100001 (?=SET @@session)/gm, "/* ");
  for (const size of [1, 7, 100, 5000, 1 << 20]) expect(through(size)).toBe(expected);
  expect(expected.match(/^\/\* SET/gm)).toHaveLength(4);
});

test("MySQL's: the number is told in a comment", () => {
  const inert = new Inert(mysql.tail.inert);
  const number = "SET @@SESSION.GTID_NEXT= '3e11fa47-71ca-11e1-9e33-c80aa9429562:7'/*!*/;\n";
  const rest = "SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;\n";
  const told = Buffer.concat([inert.push(Buffer.from(`BEGIN\n${number}${rest}`)), inert.end()]);
  expect(told.toString()).toBe(`BEGIN\n-- ${number}${rest}`);
});
