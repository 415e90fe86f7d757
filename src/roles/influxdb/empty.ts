import { databaseOf, listBuckets } from "./buckets.ts";
import type { Limits } from "../http.ts";
import type { Server } from "./client.ts";
import { queryJson } from "./influxql.ts";
import { probeBucket } from "./layout.ts";

/** Whether no point was ever written to a server but those by which it proves itself. @throws ChimeError `influxdb.*` */
export async function holdsNothing(server: Server, limits: Limits): Promise<boolean> {
  const buckets = (await listBuckets(server, limits)).filter(({ name }) => name !== probeBucket.name);
  const found = await Promise.all(
    buckets.map(async (bucket) => {
      const database = await databaseOf(server, bucket, limits);
      const [tables] = await queryJson(server, database, ["SHOW MEASUREMENTS LIMIT 1"], limits);
      return tables?.length !== 0;
    }),
  );
  return !found.includes(true);
}
