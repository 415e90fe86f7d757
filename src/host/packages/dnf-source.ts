import type { Repository, RepositoryFiles } from "./types.ts";

/** Its id for dnf. */
export function repositoryId({ name }: Pick<Repository, "name">): string {
  return `chime-node-${name}`;
}

/**
 * dnf.conf(5). Off, so that `dnf upgrade` leaves the versions that we installed: our own runs switch it on by name.
 * `module_hotfixes`: without it a module's default stream hides packages of the same name (EL 8).
 */
export function dnfSource(source: Repository): RepositoryFiles {
  const id = repositoryId(source);
  const key = `/etc/pki/rpm-gpg/${id}.asc`;
  const content = `# Written by chime-node.
[${id}]
name=${source.name}, for chime-node
baseurl=${source.uri}
enabled=0
gpgcheck=1
gpgkey=file://${key}
module_hotfixes=1
`;
  // It says nothing of what it does not understand: then it does not know the repository.
  const check = 'dnf -q -C repolist --all --setopt=reposdir="${1%/*}" | grep -q "^$2 "';
  const path = `/etc/yum.repos.d/${id}.repo`;
  return { key, path, content, check: ["sh", "-c", check, "sh", "{}", id], requires: [] };
}
