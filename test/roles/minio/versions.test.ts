import { expect, test } from "bun:test";
import { judged } from "../../../src/roles/minio/versions.ts";

const ours = `<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>
  <Status>Disabled</Status><Filter></Filter><ID>chime-node ends older states after a day</ID>
  <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>
</Rule></LifecycleConfiguration>`;
const theirs = ours.replace("chime-node ends older states after a day", "mine");
const more = ours.replace("</Rule>", "</Rule><Rule><ID>mine</ID><Status>Enabled</Status></Rule>");

test.each([
  ["a new bucket", undefined, undefined, "none"],
  ["interrupted between the rule and the versions", undefined, ours, "none"],
  ["as it is made", "Enabled", ours, "day"],
  ["an operator's rules without versions", undefined, theirs, "own"],
  ["an operator's versions without rules", "Enabled", undefined, "own"],
  ["an operator's versions and rules", "Enabled", theirs, "own"],
  ["an operator's rule beside ours", "Enabled", more, "own"],
  ["our rule made another one", "Enabled", ours.replace(">1<", ">30<"), "own"],
  ["our rule enabled by an operator", "Enabled", ours.replace("Disabled", "Enabled"), "own"],
  ["versions suspended by an operator", "Suspended", ours, "own"],
  ["suspended before anybody said a rule", "Suspended", undefined, "own"],
] as const)("%s", (_, status, lifecycle, expected) => {
  expect(judged(status, lifecycle)).toBe(expected);
});
