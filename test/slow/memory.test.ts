/** Memory over 100,000 tokens, measured in Node, whose heap can be collected on demand. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { Fields } from "../../src/shared/config/fields.ts";
import { coder as coderSource } from "../../src/gateway/identity/sources/coder.ts";
import { readCredential } from "../../src/gateway/identity/credential.ts";
import { identify } from "../../src/gateway/identity/identity.ts";
import { Refusal } from "../../src/shared/refusal.ts";

const failOnIssue = (path: string, issue: string): never => {
  throw new Error(`${path} ${issue}`);
};

describe("memory", () => {
  it("C9 does not grow from 20,000 to 120,000 distinct tokens that Coder does not know", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const source = coderSource.configure({
      options: new Fields({ url: "https://coder.example" }, "coder", failOnIssue),
      secret: () => null,
      binding: () => null,
      report: failOnIssue,
      deps: {
        fetch: async () => new Response(null, { status: 401 }),
        now: Date.now,
        logError: () => undefined,
      },
    });
    const configuredSources = [{ verifies: true, ...source }];
    const heapAfter = async (from: number, to: number): Promise<number> => {
      for (let at = from; at < to; at += 1) {
        const token = `unknown000-${String(at).padStart(22, "0")}`;
        const credential = await readCredential(
          new Headers({ authorization: `Bearer ${token}` }),
          configuredSources,
        );
        if (
          credential instanceof Refusal ||
          !((await identify(credential, configuredSources)) instanceof Refusal)
        )
          throw new Error("an unknown token was accepted");
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(0, 20_000);
    const growth = (await heapAfter(20_000, 120_000)) - before;
    console.log(`C9 the heap grew by ${(growth / 1024).toFixed(0)} KiB over 100,000 tokens`);
    expect(growth).toBeLessThan(1024 * 1024);
  });
});
