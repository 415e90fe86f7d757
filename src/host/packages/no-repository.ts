import { failed, type ChimeError } from "../../core/errors.ts";

/** Where packages come from bundles alone, and none was imported. */
export function noRepository(): ChimeError {
  return failed("packages.unknown", "there is no package repository", {
    remedy: "chime-node bundle import FILE, then run this again",
  });
}
