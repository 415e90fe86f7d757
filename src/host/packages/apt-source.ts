import type { Repository, RepositoryFiles } from "./types.ts";

/** sources.list(5) in deb822 style. The key signs this repository and no other. */
export function aptSource({ name, uri, suite, component }: Repository): RepositoryFiles {
  const key = `/etc/apt/keyrings/chime-node-${name}.asc`;
  const content = `# Written by chime-node.
Types: deb
URIs: ${uri}
Suites: ${suite}
Components: ${component}
Signed-By: ${key}
`;
  return {
    key,
    path: `/etc/apt/sources.list.d/chime-node-${name}.sources`,
    content,
    // Read beside the other sources: one that an operator has, with another key, would stop apt as a whole.
    check: ["apt-get", "indextargets", "--quiet=2", "-o=Dir::Etc::sourcelist={}", "--format=$(SITE)"],
    requires: ["ca-certificates"],
  };
}
