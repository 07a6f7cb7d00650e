/** The parts of a deployment that depend on the pinned wrangler: its options and the texts that it prints. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readAccount } from "../../tools/deploy/account.ts";
import { deployWorkers } from "../../tools/deploy/deployment.ts";
import { ROOT } from "../../tools/root.ts";
import { createQueue, takeOver } from "../../tools/deploy/plan.ts";
import { readWorkers } from "../../tools/deploy/worker-configs.ts";
import { runWrangler } from "../../tools/local/wrangler.ts";
import { startFakeApi } from "../tools/fake-cloudflare-api.ts";
import {
  emptyAccount,
  GATEWAY,
  LEDGER,
  RECORDS,
  singleWorkerAccount,
  type FakeAccount,
} from "../tools/fake-wrangler.ts";

const run = (args: readonly string[]) => runWrangler(args, true);
const databases = [{ id: LEDGER.uuid, name: LEDGER.name }];

const CREDENTIALS = { CLOUDFLARE_API_TOKEN: "made-up", CLOUDFLARE_ACCOUNT_ID: "fake-account" };
const before = { ...process.env };
beforeAll(() => void Object.assign(process.env, CREDENTIALS));
afterAll(() => {
  for (const name of [...Object.keys(CREDENTIALS), "CLOUDFLARE_API_BASE_URL"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

/** Wrangler's commands reach this account until the test has finished. */
async function useAccount(account: FakeAccount): Promise<void> {
  const { url, close } = await startFakeApi(account);
  process.env["CLOUDFLARE_API_BASE_URL"] = url;
  onTestFinished(close);
}

describe("a deployment with the pinned wrangler", () => {
  it("finds neither Workers nor the queue on an empty account, and creates the queue", async () => {
    const account = emptyAccount();
    await useAccount(account);
    const workers = readWorkers(ROOT, false);
    expect(await readAccount(run, workers)).toEqual({
      gatewaySecrets: [],
      recordsSecrets: [],
      queues: [{ name: "ai-events", exists: false, consumers: [], hasPullConsumer: false }],
      databases,
    });
    expect(await run(createQueue("ai-events").args)).toMatchObject({ ok: true });
    expect(account.queues.get("ai-events")).toEqual([]);
  });

  it("finds secrets and consumer of a single Worker, and removes the consumer", async () => {
    const account = singleWorkerAccount();
    account.workers.set(RECORDS, []);
    await useAccount(account);
    expect(await readAccount(run, readWorkers(ROOT, false))).toEqual({
      gatewaySecrets: ["ADMIN_TOKEN"],
      recordsSecrets: [],
      queues: [{ name: "ai-events", exists: true, consumers: [GATEWAY], hasPullConsumer: false }],
      databases,
    });
    expect(await run(takeOver("ai-events", GATEWAY).args)).toMatchObject({ ok: true });
    expect(account.queues.get("ai-events")).toEqual([]);
  });

  it("bundles both Workers offline with --dry-run", async () => {
    let printed = "";
    await deployWorkers(
      { dryRun: true, gatewayOnly: false },
      {
        run: (args) => runWrangler(args),
        print: (text) => void (printed += text),
        printError: () => undefined,
        folder: ROOT,
      },
    );
    expect(printed.match(/--dry-run: exiting now\./g)).toHaveLength(2);
    expect(printed).toMatch(/^ +env\.RECORDS \(ai-edge-interceptor-records\) +Worker$/m);
    expect(printed).toMatch(/^ +env\.LEDGER \(ai-ledger\) +D1 Database$/m);
  });
});
