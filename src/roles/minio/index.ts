import type { Role } from "../types.ts";
import { homeOf } from "../home.ts";
import { balancedServices, mirroredServices } from "./balanced.ts";
import { checks } from "./checks.ts";
import { diskCare } from "./drives.ts";
import { labelOf, labelPattern } from "./given.ts";
import { passwordName } from "./guard/password.ts";
import { MinioGuard } from "./guard/guard.ts";
import { formatFile, takeUp } from "./kept.ts";
import { applicationKeys, keyName } from "./keys.ts";
import { releaseLocks } from "./left-behind.ts";
import { consolePort, minioSpec, nodes, place, productName, roleName, s3Port } from "./layout.ts";
import { mayBeLost } from "./may-be-lost.ts";
import { MirrorGuard } from "./mirror/guard.ts";
import { mirrorStatus } from "./mirror/status.ts";
import { awaitsNodes } from "./together.ts";
import { resources } from "./resources.ts";
import { authorityFile, balancerCertificate, balancerFiles, schemeOf } from "./tls.ts";
import { cannotFollow, unrenewed } from "./trusted.ts";
import { minioStatus } from "./status.ts";

/** An S3 store over whole disks of several nodes, behind one address. */
export const minio: Role = {
  name: roleName,
  secretNames: [passwordName, keyName],
  rotates: [passwordName],
  replaces: [keyName],
  products: (spec) => [productName(minioSpec({ spec })), "keepalived", "haproxy"],
  limit: ({ roles }) => ({
    max: roles.minio?.nodes ?? 0,
    reason: "the store is laid out on roles.minio.nodes nodes; more are another cluster's",
  }),
  checks,
  awaits: awaitsNodes,
  disks: ({ roles }) =>
    Array.from({ length: roles.minio?.disksPerNode ?? 0 }, (_, i) => ({
      label: labelOf(i + 1),
      at: place(i + 1),
    })),
  mayBeLost: (spec) => mayBeLost(minioSpec({ spec })),
  diskCare,
  keptDisks: { label: labelPattern, file: formatFile, takeUp },
  plan: resources,
  vip(context) {
    const { spec, members } = context;
    if (!spec.roles.minio) return undefined;
    const { address, prefix } = spec.roles.minio.vip;
    const home = homeOf(roleName, context);
    return { name: roleName, address: `${address}/${prefix}`, nodes: nodes(members), home };
  },
  balanced(context) {
    const spec = context.spec.roles.minio;
    if (!spec) return [];
    const services =
      spec.topology === "mirror"
        ? mirroredServices(spec.vip.address, context.self)
        : balancedServices({ vip: spec.vip.address, nodes: nodes(context.members) });
    if (!spec.tls) return services;
    const tls = {
      ...balancerFiles,
      domain: context.spec.cluster.domain,
      certificate: balancerCertificate(context),
    };
    return services.map((service) => ({ ...service, tls }));
  },
  connection(context) {
    const { bucket, vip, tls } = minioSpec(context);
    const { current, old } = applicationKeys(context);
    return {
      endpoint: `${schemeOf(context)}://${vip.address}:${s3Port}`,
      console: `${schemeOf(context)}://${vip.address}:${consolePort}`,
      ...(tls && { ca_file: authorityFile }),
      access_key: current.accessKey,
      secret_key: current.secretKey,
      bucket,
      ...(old && { retiring_access_key: old.accessKey }),
    };
  },
  async afterVanished(context, node) {
    if (minioSpec(context).topology === "pool") await releaseLocks(context, node);
  },
  unrenewed,
  cannotFollow,
  status: (context, members) =>
    minioSpec(context).topology === "mirror" ? mirrorStatus(context, members) : minioStatus(context, members),
  guard: (deps) =>
    minioSpec(deps.context()).topology === "mirror" ? new MirrorGuard(deps) : new MinioGuard(deps),
};
