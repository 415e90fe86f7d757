import type { FileResource } from "../../resources/file.ts";
import { issuedCertificate } from "../issued.ts";
import type { RoleContext } from "../types.ts";
import { influxdbSpec, type Layout } from "./layout.ts";

const directory = "/etc/chime-node-influxdb";

/** Of the node's server, which reads key and certificate when it starts, and never again [tried]. */
export const serverFiles = {
  cert: `${directory}/server.crt`,
  key: `${directory}/server.key`,
  ca: `${directory}/ca.crt`,
};

/** Key and certificate of this node's server. Its guard has it restarted for new ones, when the other one has everything. */
export function serverCertificate(
  context: RoleContext,
  { user }: Layout["product"],
  needs: readonly string[],
): FileResource {
  const { self, spec } = context;
  const { vip } = influxdbSpec(context);
  return issuedCertificate({
    name: "influxdb",
    owner: user,
    paths: serverFiles,
    subjects: [`${self.name}.${spec.cluster.domain}`, self.address, vip.address],
    needs,
  });
}
