import { describe, expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { X509Certificate } from "node:crypto";
import { certify, createAuthority, generateKey } from "../../../src/cluster/pki.ts";
import { Attention } from "../../../src/roles/attention.ts";
import { influxdb } from "../../../src/roles/influxdb/index.ts";
import { resources } from "../../../src/roles/influxdb/resources.ts";
import { isTls, readFrom, speaksTls } from "../../../src/roles/influxdb/servers.ts";
import { serverFiles } from "../../../src/roles/influxdb/tls.ts";
import { twinContext, twinNode, type Said } from "./context.ts";

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test.each([
  ["HTTP/1.1 204 No Content\r\n\r\n", false],
  ["HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", true],
  ["HTTP/1.0 204 No Content\r\n\r\n", false],
  ["", undefined],
])("asked in clear, a server answers %j", async (answer, wanted) => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined).once("data", () => socket.end(answer));
  });
  const port = await listening(server);
  expect(await speaksTls("127.0.0.1", port)).toBe(wanted);
  server.close();
  expect(await speaksTls("127.0.0.1", port)).toBeUndefined();
});

test("a server that speaks TLS is attended to, whatever it shows, and what it shows is known", async () => {
  const authority = createAuthority({ name: "chime", id: "c1" }, 0);
  const { privateKey: key, publicKey } = generateKey();
  const subject = {
    cluster: { name: "chime", id: "c1" },
    commonName: "x",
    publicKey,
    alternativeNames: ["x"],
  };
  const cert = certify(authority, subject, 0);
  const server = createTlsServer({ key, cert }, (socket) => socket.on("error", () => undefined).resume());
  const port = await listening(server);
  const found = await Attention.open("127.0.0.1", port, () => undefined, { tls: true });
  const { fingerprint256, validTo } = new X509Certificate(cert);
  expect(found?.certificate).toEqual({ shown: fingerprint256, until: Date.parse(validTo) });
  found?.close();
  server.close();
});

describe("while the two are switched, a server is asked as it speaks", () => {
  test.each<[string, boolean, Said, Said, [boolean, boolean, boolean]]>([
    ["both as they should", true, { tls: true, read: true }, { tls: true }, [true, true, true]],
    ["none yet", true, { tls: false, read: true }, { tls: false }, [false, false, false]],
    ["who is read from not yet", true, { tls: false, read: true }, { tls: true }, [false, true, false]],
    ["who is read from is", true, { tls: false }, { tls: true, read: true }, [false, true, true]],
    ["back to plain", false, { tls: false, read: true }, { tls: true }, [false, true, false]],
    ["nothing heard: as they should", true, { silent: true }, { silent: true }, [true, true, true]],
  ])("%s", (_, tls, one, other, wanted) => {
    const members = [twinNode(1, one), twinNode(2, other)];
    const context = twinContext(members, `tls = ${tls}`);
    expect([...members, readFrom(context)].map((node) => isTls(node, context))).toEqual(wanted);
  });
});

test("who connects is told of the CA where there is TLS, and only there", () => {
  const told = (toml: string) =>
    influxdb.connection(twinContext([twinNode(1), twinNode(2)], toml))["ca_file"];
  expect([told("tls = true"), told("")]).toEqual([serverFiles.ca, undefined]);
});

test("with TLS the unit names key and certificate, and the server is not restarted for new ones", () => {
  const plan = (toml: string) => resources(twinContext([twinNode(1)], toml));
  const [plain, tls] = [plan(""), plan("tls = true")];
  const ids = ({ installed }: typeof tls) => installed.map(({ id }) => id);
  expect(ids(plain)).not.toContain("certificate:influxdb");
  expect(ids(tls)).toContain("certificate:influxdb");
  const unit = ({ installed }: typeof tls) =>
    installed.find(({ id }) => id.startsWith("file:/etc/systemd/"))?.desired;
  expect(unit(tls)).not.toBe(unit(plain));
});
