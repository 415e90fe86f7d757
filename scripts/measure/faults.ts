import { wasTorn, type ObjectFault } from "../../src/operations/drill/objects.ts";
import type { Row } from "./row.ts";

/** What was read back after drills and is not as it was acknowledged. @param found a string: why a store could not be read */
export function faultRows(name: string, found: readonly (ObjectFault | string)[]): Row[] {
  const torn = found.filter((fault) => typeof fault !== "string" && wasTorn(fault));
  return [
    objects(name, found.length - torn.length, 0),
    objects("  besides, lost while they were being written over", torn.length, 0),
  ];
}

/** Whether all drills that were wanted were done. @param endedEarly by what they were not */
export function endRow(endedEarly: string | undefined): Row {
  const name = endedEarly ?? "drills after which the store was not whole";
  return { name, values: [endedEarly === undefined ? 0 : 1], unit: "drills", target: 0 };
}

/** @param target null where there is no promise */
export function objects(name: string, count: number, target: number | null): Row {
  return { name, values: [count], unit: "objects", target };
}
