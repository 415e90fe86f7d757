import license from "../../LICENSE" with { type: "text" };

/** Put in by the bundler; there is none where the sources run as they are. */
declare const CHIME_LICENSES: string | undefined;

/** Our licence, and in a built binary that of everything in it. A module of its own: only who makes a bundle reads it. */
export const licenses: string = typeof CHIME_LICENSES === "undefined" ? license : CHIME_LICENSES;
