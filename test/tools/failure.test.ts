import { describe, expect, it } from "vitest";
import { adviceFor } from "../../tools/deploy/failure.ts";
import { deployWith } from "./deploy-with.ts";
import { emptyAccount, singleWorkerAccount, type FakeAccount } from "./fake-account.ts";
import { fakeWrangler } from "./fake-wrangler.ts";

describe("adviceFor", () => {
  // Wrangler's output, as reported in its issues or printed by the pinned version.
  it.each([
    ["workers.api.error.no_access_to_analytics_engine [code: 10089]", "enable it once at https://dash."],
    ["You need to enable Analytics Engine. Head to the Cloudflare Dashboard", "enable it once at"],
    ["workers.api.error.script_not_found [code: 10007]", "deploy the records Worker before the gateway"],
    ["Service binding 'RECORDS' references Worker 'x' which was not found. [code: 10143]", "[[services]]"],
    ["Could not resolve service binding 'RECORDS'. Target environment … [code: 10144]", "[[services]]"],
    ["This Worker does not exist on your account. [code: 10090]", "does not exist in this account"],
    [
      "workers.api.error.consumer_exists [code: 11004]",
      "npx wrangler queues consumer remove <queue> <script>",
    ],
    ["Queue handler is missing [code: 11001]", "which has no queue handler"],
    ["Queue not found [code: 11000]", "npx wrangler queues create <queue>"],
    ['Queue "ai-events" does not exist. To create it, run: …', "npx wrangler queues create <queue>"],
    [
      "Cannot create binding for class 'X' that is not exported by the script. [code: 10061]",
      "[[migrations]]",
    ],
    ["Couldn't find a D1 DB named 'ai-ledger'", "npx wrangler d1 create <name>"],
    ["binding LEDGER of type d1 … [code: 10181]", "database_name and database_id"],
    ["R2 bucket 'x' not found. [code: 10085]", "npx wrangler r2 bucket create <name>"],
    ["KV namespace 'x' not found. [code: 10041]", "npx wrangler kv namespace list"],
    ["You need to verify your email address to use Workers. [code: 10034]", "email address is not verified"],
    ["Authentication error [code: 10000]", "npx wrangler login"],
    ["Unauthorized to access requested resource [code: 9109]", "edit Workers Scripts, Queues and D1"],
    [
      "Could not authenticate because no credentials were found and the environment is non-interactive. Set a CLOUDFLARE_API_TOKEN environment variable or run `wrangler login`",
      "npx wrangler login",
    ],
    ["In a non-interactive environment, it is mandatory to specify an account ID", "CLOUDFLARE_ACCOUNT_ID"],
    ["You need to register a workers.dev subdomain [code: 10063]", "workers/onboarding"],
  ])("knows %j", (output, advice) => expect(adviceFor(output)).toContain(advice));

  it.each(["Internal error [code: 7000]", "[code: 110010]", ""])("knows no advice for %j", (output) => {
    expect(adviceFor(output)).toBeNull();
  });
});

describe("npm run deploy", () => {
  it.each<readonly [string, FakeAccount, RegExp]>([
    [
      "without Analytics Engine",
      { ...emptyAccount(), hasAnalyticsEngine: false },
      /Step 6 of 6 failed[^]*\nAnalytics Engine is not enabled for this account: [^\n]*\nDone before it:/,
    ],
  ])("prints wrangler's output and what to do %s", async (_, account, failure) => {
    const result = await deployWith(fakeWrangler(account));
    expect(result.printed).toContain("[code: 10089]");
    expect(result.failure).toMatch(failure);
  });

  it("prints an unknown failure whole, without advice", async () => {
    const wrangler = fakeWrangler(singleWorkerAccount(), (command) => command.startsWith("deploy"));
    const { failure, printed } = await deployWith(wrangler);
    expect(printed).toContain("    ✘ [ERROR] A request to the Cloudflare API failed.\n");
    expect(failure).toMatch(/Wrangler's output above has the reason\.\nDone before it:/);
  });

  it("says what to do where the account cannot be read", async () => {
    const output = "✘ [ERROR] A request to the Cloudflare API failed.\n  Authentication error [code: 10000]";
    const run = async () => ({ ok: false, stdout: "", lines: output.split("\n") });
    const { failure } = await deployWith({ run, commands: [], changes: [] });
    expect(failure).toContain("Authentication error [code: 10000]");
    expect(failure).toContain("run `npx wrangler login`");
  });
});
