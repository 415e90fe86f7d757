/** Percona's packages report the machine to the vendor as they are installed, unless they are told not to. */
export const vendorEnv = { PERCONA_TELEMETRY_DISABLE: "1" };
