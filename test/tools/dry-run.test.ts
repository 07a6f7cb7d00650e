/** `npm run deploy -- --dry-run` prints the exact commands. test/slow/deploy-wrangler.test.ts runs them. */
import { describe, expect, it } from "vitest";
import { PRODUCTION, readWorkers } from "../../tools/deploy/worker-configs.ts";
import { emptyAccount } from "./fake-account.ts";
import { CENTRAL_KEYS, deployWith, folderWith } from "./deploy-with.ts";
import { fakeWrangler } from "./fake-wrangler.ts";

const DRY = { dryRun: true } as const;

describe("npm run deploy -- --dry-run", () => {
  it.each([
    ["production", null, "deploy-commands.txt"],
    ["an environment", "staging", "deploy-commands-staging.txt"],
  ])("prints the commands of %s in their order", async (_, environment, file) => {
    const { failure, printed } = await deployWith(fakeWrangler(emptyAccount()), {}, { ...DRY, environment });
    expect(failure).toBeNull();
    await expect(printed.slice(printed.indexOf("Nothing was"))).toMatchFileSnapshot(`../fixtures/${file}`);
  });

  it("runs only wrangler's own dry run", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    await deployWith(wrangler, {}, DRY);
    expect(wrangler.commands).toEqual([
      "deploy --dry-run -c wrangler.generated.records.jsonc",
      "deploy --dry-run -c wrangler.generated.jsonc",
    ]);
  });

  it("prints the secrets that the gateway requires before its deployment", async () => {
    const edits = { gateway: CENTRAL_KEYS };
    const { printed } = await deployWith(fakeWrangler(emptyAccount()), edits, DRY);
    expect(printed).toMatch(
      /On an empty account[^]*\n {2}# Store the gateway's secret OPENAI_API_KEY\n {2}npx wrangler secret put OPENAI_API_KEY -c wrangler\.generated\.jsonc\n[^]*# Deploy the gateway/,
    );
    const staging = { ...DRY, environment: "staging" };
    expect((await deployWith(fakeWrangler(emptyAccount()), edits, staging)).printed).toContain(
      "\n  npx wrangler secret put OPENAI_API_KEY -c wrangler.generated.staging.jsonc\n",
    );
  });

  // Wrangler warns unless --env is given where a file has environments.
  it("deploys production from files without environments", async () => {
    const edits = { gateway: [["[triggers]", "[env.staging]\nworkers_dev = true\n\n[triggers]"]] } as const;
    const { printed } = await deployWith(fakeWrangler(emptyAccount()), edits, DRY);
    const { gateway } = readWorkers(folderWith(edits), PRODUCTION);
    expect(gateway.definedEnvironments).toEqual([]);
    expect(printed).not.toContain("--env");
  });

  it("bundles only the gateway with --gateway-only", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const { printed } = await deployWith(wrangler, {}, { ...DRY, gatewayOnly: true });
    expect(wrangler.commands).toEqual(["deploy --dry-run -c wrangler.generated.jsonc"]);
    expect(printed).toContain("npx wrangler deploy -c wrangler.generated.jsonc\n");
    expect(printed).not.toContain("records.jsonc");
  });
});
