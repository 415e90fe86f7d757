import type { Repository, RepositoryFiles } from "./types.ts";

/** Its id for dnf. */
export function repositoryId({ name }: Pick<Repository, "name">): string {
  return `chime-node-${name}`;
}

/**
 * dnf.conf(5). Each package is checked with the key at this path.
 * `module_hotfixes`: without it a module's default stream hides packages of the same name (EL 8).
 */
export function repositoryFile(
  source: Repository,
  { key, enabled }: { key: string; enabled: boolean },
): string {
  return `# Written by chime-node.
[${repositoryId(source)}]
name=${source.name}, for chime-node
baseurl=${source.uri}
enabled=${enabled ? 1 : 0}
gpgcheck=1
gpgkey=file://${key}
module_hotfixes=1
`;
}

/** Off, so that `dnf upgrade` leaves the versions that we installed: our own runs switch it on by name. */
export function dnfSource(source: Repository): RepositoryFiles {
  const id = repositoryId(source);
  const key = `/etc/pki/rpm-gpg/${id}.asc`;
  // It says nothing of what it does not understand: then it does not know the repository.
  const check = 'dnf -q -C repolist --all --setopt=reposdir="${1%/*}" | grep -q "^$2 "';
  return {
    key,
    path: `/etc/yum.repos.d/${id}.repo`,
    content: repositoryFile(source, { key, enabled: false }),
    check: ["sh", "-c", check, "sh", "{}", id],
    requires: [],
  };
}
