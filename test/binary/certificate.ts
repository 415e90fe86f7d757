import { generateKeyPairSync } from "node:crypto";
import { signCertificate } from "../../src/cluster/x509.ts";

function keyPair() {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return { spki: publicKey, pem: privateKey };
}

/** A server's certificate for 127.0.0.1, and that of the CA that nobody has reason to trust. All PEM. */
export function strangersCertificate(): { ca: string; cert: string; key: string } {
  const authority = keyPair();
  const server = keyPair();
  const common = {
    issuer: { commonName: "stranger", organization: "test" },
    issuerPublicKey: authority.spki,
    issuerKey: authority.pem,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
  };
  const ca = signCertificate({
    ...common,
    subject: common.issuer,
    publicKey: authority.spki,
    usage: "ca",
    alternativeNames: [],
  });
  const cert = signCertificate({
    ...common,
    subject: { commonName: "server", organization: "test" },
    publicKey: server.spki,
    usage: "peer",
    alternativeNames: ["127.0.0.1"],
  });
  return { ca, cert, key: server.pem };
}
