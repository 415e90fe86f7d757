import type { Resource } from "../resources/types.ts";

/**
 * Resources after those they need; otherwise in the order given, so that the same input gives the same plan.
 * A double id, an unknown need or a cycle is a mistake in our own roles, hence a plain Error (code `internal`).
 */
export function order<R extends Pick<Resource, "id" | "needs">>(resources: readonly R[]): R[] {
  const byId = new Map<string, R>();
  for (const resource of resources) {
    if (byId.has(resource.id)) throw new Error(`two resources are called ${resource.id}`);
    byId.set(resource.id, resource);
  }
  const out: R[] = [];
  const placed = new Set<string>();
  function place(resource: R, path: readonly string[]): void {
    if (placed.has(resource.id)) return;
    if (path.includes(resource.id)) {
      throw new Error(`resources need each other: ${[...path, resource.id].join(" → ")}`);
    }
    for (const need of resource.needs) {
      const needed = byId.get(need);
      if (!needed) throw new Error(`${resource.id} needs ${need}, which is not in the plan`);
      place(needed, [...path, resource.id]);
    }
    placed.add(resource.id);
    out.push(resource);
  }
  for (const resource of resources) place(resource, []);
  return out;
}
