import { expect, test } from "bun:test";
import { questionOf } from "../../src/operations/converge.ts";

const restart = { resource: "service:influxdb.service", impact: "restart", diff: "restart" } as const;
const file = { resource: "file:/etc/hosts", impact: "none", diff: "+ node2" } as const;
const data = { resource: "influxdb:buckets", impact: "data", diff: "~ a: deleted\n+ b" } as const;

test.each([
  ["Apply with interruption: service:influxdb.service (restart)?", [file, restart]],
  [
    "Apply with interruption or loss of data: influxdb:buckets (data; ~ a: deleted; + b), service:influxdb.service (restart)?",
    [data, file, restart],
  ],
])("%s", (question, changes) => {
  expect(questionOf(changes)).toBe(question);
});
