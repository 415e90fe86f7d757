import { expect, test } from "bun:test";
import { remindOfAccount } from "../../../src/roles/minio/application.ts";
import { releaseLocks } from "../../../src/roles/minio/left-behind.ts";
import { storeContext, storeNode } from "./context.ts";

const context = storeContext([storeNode(1), storeNode(2), storeNode(3)]);

test("an agent that is stopped waits neither for locks to be ended nor for the account", async () => {
  const reason = new Error("the agent is stopped");
  const signal = AbortSignal.abort(reason);
  await expect(releaseLocks(context, "node1", { signal })).rejects.toBe(reason);
  await expect(remindOfAccount(context, signal)).rejects.toBe(reason);
});
