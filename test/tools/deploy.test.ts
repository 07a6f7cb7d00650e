import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { deployWorkers, type DeployOptions } from "../../tools/deploy/deployment.ts";
import { withRecordsBindings } from "../../tools/deploy/generated-config.ts";
import { ROOT } from "../../tools/root.ts";
import { sentenceOf } from "../../tools/local/start-failure.ts";
import {
  emptyAccount,
  fakeWrangler,
  GATEWAY,
  LEDGER,
  RECORDS,
  singleWorkerAccount,
  type FakeAccount,
  type FakeWrangler,
} from "./fake-wrangler.ts";

/** Replacements in the two configurations; each must match. */
type Edits = { readonly gateway?: readonly Edit[]; readonly records?: readonly Edit[] };
type Edit = readonly [find: string | RegExp, replacement: string];

const CREATE = "queues create ai-events -c wrangler.records.toml";
const REMOVE = `queues consumer remove ai-events ${GATEWAY} -c wrangler.records.toml`;
const MIGRATE = "d1 migrations apply LEDGER --remote -c wrangler.records.toml";
const DEPLOY_RECORDS = "deploy -c wrangler.records.toml";
const DEPLOY_GATEWAY = "deploy -c wrangler.generated.toml";

/** A folder with copies of the project's configurations. */
function folderWith({ gateway = [], records = [] }: Edits): string {
  const folder = mkdtempSync(join(tmpdir(), "deploy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [file, edits] of [
    ["wrangler.toml", gateway],
    ["wrangler.records.toml", records],
  ] as const) {
    const text = edits.reduce(
      (edited, [find, replacement]) => {
        const result = edited.replace(find, () => replacement);
        if (result === edited) throw new Error(`${file} does not contain ${find}`);
        return result;
      },
      readFileSync(join(ROOT, file), "utf8"),
    );
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** Central keys, for which the client must be identified. */
const CENTRAL_KEYS: readonly Edit[] = [
  ['type = "openai"\n', 'type = "openai"\nkeys = ["OPENAI_API_KEY", "OPENAI_API_KEY_2"]\n'],
  ["[vars.PROVIDERS.openai]", '[vars]\nIDENTITY = [{ source = "keys" }]\n[vars.PROVIDERS.openai]'],
];

type Result = { readonly failure: string | null; readonly printed: string; readonly warnings: string };

async function deployWith(
  wrangler: FakeWrangler,
  edits: Edits = {},
  options: Partial<DeployOptions> = {},
): Promise<Result> {
  let printed = "";
  let warnings = "";
  const failure = await deployWorkers(
    { dryRun: false, gatewayOnly: false, ...options },
    {
      run: wrangler.run,
      print: (text) => void (printed += text),
      printError: (text) => void (warnings += text),
      folder: folderWith(edits),
    },
  ).then(
    () => null,
    (error: unknown) => sentenceOf(error),
  );
  return { failure, printed, warnings };
}

describe("npm run deploy", () => {
  it("creates the queue, migrates and deploys the records Worker before the gateway on an empty account", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const { failure, printed } = await deployWith(wrangler);
    expect(failure).toBeNull();
    expect(wrangler.changes).toEqual([CREATE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY]);
    expect(printed).toContain("1/4 Create the queue ai-events\n");
    expect(printed).toMatch(new RegExp(`^Deployed ${RECORDS} and ${GATEWAY}\\.$`, "m"));
  });

  it("creates and removes nothing on a second deployment", async () => {
    const account = emptyAccount();
    await deployWith(fakeWrangler(account));
    const wrangler = fakeWrangler(account);
    expect((await deployWith(wrangler)).failure).toBeNull();
    expect(wrangler.changes).toEqual([MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY]);
  });

  it("removes the consumer of a single-Worker deployment before the migrations and the records Worker", async () => {
    const account = singleWorkerAccount();
    const wrangler = fakeWrangler(account);
    expect((await deployWith(wrangler)).failure).toBeNull();
    expect(wrangler.changes).toEqual([REMOVE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY]);
    expect(account.queues.get("ai-events")).toEqual([{ type: "worker", script: RECORDS }]);
  });

  it("creates the dead-letter queue that the consumer names", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const records = [
      ["max_retries = 100", 'max_retries = 100\ndead_letter_queue = "ai-events-dead"'],
    ] as const;
    await deployWith(wrangler, { records });
    expect(wrangler.changes.slice(0, 2)).toEqual([
      CREATE,
      "queues create ai-events-dead -c wrangler.records.toml",
    ]);
  });

  it("needs neither queue nor database where the configurations have none", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const queue: Edit = [/# \[\[queues\.producers\]\]\n# binding.*\n# queue.*\n/, ""];
    const consumer: Edit = [/\[\[queues\.consumers\]\][^[]*?(?=\n# Object)/, ""];
    const archive: Edit = ["# [[r2_buckets]]\n# binding", "[[r2_buckets]]\nbinding"];
    const noLedger: Edit = [/\[\[d1_databases\]\]\n(?:\w.*\n)*/, ""];
    await deployWith(wrangler, { gateway: [queue], records: [consumer, archive, noLedger] });
    expect(wrangler.commands.filter((command) => /^(?:queues|d1)/.test(command))).toEqual([]);
  });
});

const printsNone = async () => ({ ok: true, stdout: "none", lines: ["none"] });

describe("npm run deploy stops at the first step that fails", () => {
  const steps = [REMOVE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY];

  it.each(steps.map((step, at) => [step, at] as const))("%s", async (step, at) => {
    const account = singleWorkerAccount();
    const wrangler = fakeWrangler(account, (command) => command === step);
    const { failure, printed } = await deployWith(wrangler);
    expect(wrangler.changes).toEqual(steps.slice(0, at));
    expect(wrangler.commands.at(-1)).toBe(step);
    expect(printed).toContain("A request to the Cloudflare API failed.");
    expect(failure).toContain(`Step ${at + 1} of 4 failed: `);
    expect(failure).toContain(`npx wrangler ${step}`);
    expect(failure).toContain("run the same command again");
    expect(failure?.includes("Nothing was changed before it.")).toBe(at === 0);
    expect(failure?.includes("The queue ai-events has no consumer now.")).toBe(at === 1 || at === 2);
    const again = fakeWrangler(account);
    expect((await deployWith(again)).failure).toBeNull();
    expect(again.changes).toEqual(steps.slice(at === 0 ? 0 : 1));
  });

  it("the creation of the queue", async () => {
    const wrangler = fakeWrangler(emptyAccount(), (command) => command === CREATE);
    expect((await deployWith(wrangler)).failure).toContain("Step 1 of 4 failed: Create the queue ai-events");
    expect(wrangler.changes).toEqual([]);
  });

  it.each(["secret list", "queues consumer list", "d1 list"])("reading the account: %s", async (read) => {
    const wrangler = fakeWrangler(emptyAccount(), (command) => command.startsWith(read));
    const { failure } = await deployWith(wrangler);
    expect(failure).toContain(
      `The account cannot be read, and nothing was deployed: \`npx wrangler ${read} `,
    );
    expect(failure).toContain("A request to the Cloudflare API failed.");
    expect(wrangler.changes).toEqual([]);
  });

  it("reading the account: a list that is not JSON", async () => {
    const { failure } = await deployWith({ ...fakeWrangler(emptyAccount()), run: printsNone });
    expect(failure).toContain("printed no JSON array");
  });
});

describe("npm run deploy deploys nothing", () => {
  const SERVICE: Edit = ['# service = "ai-edge-interceptor-records"', '# service = "other-records"'];

  it.each<readonly [string, Edits, string]>([
    [
      "when the gateway's configuration is invalid",
      { gateway: [['type = "openai"', 'type = "opnai"']] },
      "wrangler.toml: PROVIDERS.openai.type must be",
    ],
    [
      "when a variable of the records Worker is in wrangler.toml",
      { gateway: [["[vars.PROVIDERS.openai]", "[vars]\nRETENTION_DAYS = 5\n[vars.PROVIDERS.openai]"]] },
      "wrangler.toml: RETENTION_DAYS must be set in the records Worker (wrangler.records.toml).",
    ],
    [
      "when the gateway keeps the consumer of a single Worker",
      { gateway: [["# >>> records", '[[queues.consumers]]\nqueue = "ai-events"\n# >>> records']] },
      "wrangler.toml: [[queues.consumers]] must be moved to wrangler.records.toml",
    ],
    [
      "when the gateway keeps the cron of a single Worker",
      { gateway: [["crons = []", 'crons = ["*/10 * * * *"]']] },
      "wrangler.toml: triggers.crons must be empty",
    ],
    [
      "when the block of bindings is missing",
      { gateway: [["# >>> records", "# records"]] },
      "wrangler.toml must have a block between",
    ],
    [
      "when the block binds neither the queue nor the records Worker",
      { gateway: [[/(?<=# >>> records\n)[^]*(?=# <<< records)/, ""]] },
      "wrangler.toml: the records block must bind EVENTS or RECORDS.",
    ],
    ["when a file is no TOML", { records: [["name = ", "name "]] }, "wrangler.records.toml cannot be read"],
    [
      "when the records Worker has no database and no archive",
      { records: [['binding = "LEDGER"', 'binding = "DATABASE"']] },
      "wrangler.records.toml: LEDGER is required unless ARCHIVE is bound",
    ],
    [
      "when database_id is a placeholder",
      { records: [['binding = "LEDGER"', 'binding = "LEDGER"\ndatabase_id = "<id>"']] },
      "wrangler.records.toml: the database_id of LEDGER must be the UUID",
    ],
    [
      "when the records Worker consumes another queue",
      { records: [['queue = "ai-events"', 'queue = "ai-event"']] },
      'wrangler.records.toml must consume the queue "ai-events", to which EVENTS in wrangler.toml sends; it consumes "ai-event".',
    ],
    [
      "when the service binding names another Worker",
      { gateway: [SERVICE] },
      `wrangler.toml binds the Worker "other-records", but the name in wrangler.records.toml is "${RECORDS}".`,
    ],
    [
      // Such a gateway would forward each API request to itself.
      "when the service binding names the gateway itself",
      { gateway: [['# service = "ai-edge-interceptor-records"', `# service = "${GATEWAY}"`]] },
      `wrangler.toml binds the Worker "${GATEWAY}", but the name in wrangler.records.toml is "${RECORDS}".`,
    ],
    [
      "when events go by RPC to a records Worker without a database",
      {
        gateway: [[/# \[\[queues\.producers\]\]\n# binding = "EVENTS"\n# queue = "ai-events"\n/, ""]],
        records: [['binding = "LEDGER"', 'binding = "DATABASE"']],
      },
      "wrangler.records.toml must bind LEDGER, because wrangler.toml binds no EVENTS.",
    ],
    [
      "when both Workers have one name",
      { records: [[`name = "${RECORDS}"`, `name = "${GATEWAY}"`]] },
      "wrangler.records.toml: name must differ from the gateway's",
    ],
  ])("%s", async (_, edits, problem) => {
    const wrangler = fakeWrangler(emptyAccount());
    const { failure } = await deployWith(wrangler, edits);
    expect(failure).toContain(problem);
    expect(failure?.toLowerCase()).toMatch(/nothing was deployed|must have a block/);
    expect(wrangler.commands).toEqual([]);
  });

  it.each<readonly [string, Edits, Partial<FakeAccount>, string]>([
    [
      "when a secret of the gateway is missing",
      { gateway: CENTRAL_KEYS },
      { workers: new Map([[GATEWAY, ["OPENAI_API_KEY", "CLIENT_KEYS"]]]) },
      "The gateway has no secret OPENAI_API_KEY_2: set it with `npx wrangler secret put OPENAI_API_KEY_2`.",
    ],
    [
      "when the database does not exist",
      {},
      { databases: [] },
      "The database ai-ledger of wrangler.records.toml does not exist in this account: create it with `npx wrangler d1 create ai-ledger`.",
    ],
    [
      "when database_id is that of no database",
      {
        records: [
          ['binding = "LEDGER"', `binding = "LEDGER"\ndatabase_id = "${LEDGER.uuid.replace("0a", "0b")}"`],
        ],
      },
      {},
      "does not exist in this account: correct its database_id.",
    ],
    [
      "when another Worker consumes the queue",
      {},
      { queues: new Map([["ai-events", [{ type: "worker", script: "billing" }]]]) },
      "`npx wrangler queues consumer remove ai-events billing -c wrangler.records.toml`",
    ],
    [
      "when the queue has a pull consumer",
      {},
      { queues: new Map([["ai-events", [{ type: "http_pull" }]]]) },
      "`npx wrangler queues consumer http remove ai-events`",
    ],
  ])("%s", async (_, edits, account, problem) => {
    const wrangler = fakeWrangler({ ...emptyAccount(), ...account });
    const { failure } = await deployWith(wrangler, edits);
    expect(failure).toContain(problem);
    expect(failure).toMatch(/Nothing was deployed\.$/);
    expect(wrangler.changes).toEqual([]);
  });

  it("accepts secrets that are set and a database by its id", async () => {
    const workers = new Map([[GATEWAY, ["OPENAI_API_KEY", "OPENAI_API_KEY_2", "CLIENT_KEYS"]]]);
    const wrangler = fakeWrangler({ ...emptyAccount(), workers });
    const byId: Edit = ['binding = "LEDGER"', `binding = "LEDGER"\ndatabase_id = "${LEDGER.uuid}"`];
    expect((await deployWith(wrangler, { gateway: CENTRAL_KEYS, records: [byId] })).failure).toBeNull();
  });
});

const withRecording = (value: string): Edit => [
  "[vars.PROVIDERS.openai]",
  `[vars]\nRECORDING = ${value}\n[vars.PROVIDERS.openai]`,
];

describe("the warnings of npm run deploy", () => {
  const ARCHIVE: Edit = [
    /# \[\[r2_buckets\]\]\n# (binding.*)\n# (bucket_name.*)/,
    '[[r2_buckets]]\nbinding = "ARCHIVE"\nbucket_name = "ai-archive"',
  ];

  it.each<readonly [string, readonly Edit[], boolean]>([
    ["warns about an archive without RECORDING.all_events", [], true],
    [
      "warns about an archive with RECORDING.all_events = false",
      [withRecording("{ all_events = false }")],
      true,
    ],
    [
      "does not warn about an archive with RECORDING.all_events",
      [withRecording("{ all_events = true }")],
      false,
    ],
    [
      "does not warn about an archive with RECORDING as JSON",
      [withRecording(`'{"all_events":true}'`)],
      false,
    ],
  ])("%s", async (_, gateway, warned) => {
    const { failure, warnings } = await deployWith(fakeWrangler(emptyAccount()), {
      gateway,
      records: [ARCHIVE],
    });
    expect(failure).toBeNull();
    expect(warnings.includes("RECORDING.all_events is not true")).toBe(warned);
  });

  it("warns about an ADMIN_TOKEN that is still the gateway's, and missing in the records Worker", async () => {
    const { warnings } = await deployWith(fakeWrangler(singleWorkerAccount()));
    expect(warnings).toContain("`npx wrangler secret delete ADMIN_TOKEN`");
    expect(warnings).toContain("`npx wrangler secret put ADMIN_TOKEN -c wrangler.records.toml`");
  });

  it("does not warn where the records Worker has its ADMIN_TOKEN and the gateway a route", async () => {
    const workers = new Map([[RECORDS, ["ADMIN_TOKEN"]]]);
    const gateway: Edit[] = [["# routes = ", "routes = "]];
    const { warnings } = await deployWith(fakeWrangler({ ...emptyAccount(), workers }), { gateway });
    expect(warnings).toBe("");
  });

  it("warns about a gateway without a route", async () => {
    expect((await deployWith(fakeWrangler(emptyAccount()))).warnings).toContain(
      "no client can reach the gateway",
    );
  });
});

describe("npm run deploy -- --gateway-only", () => {
  it("deploys wrangler.toml as it is and reads only the gateway's secrets", async () => {
    const account = singleWorkerAccount();
    const wrangler = fakeWrangler(account, (command) => command.startsWith("queues"));
    account.workers.set(RECORDS, []);
    account.queues.set("ai-events", []);
    const { failure, warnings } = await deployWith(wrangler, {}, { gatewayOnly: true });
    expect(failure).toBeNull();
    expect(wrangler.commands).toEqual(["secret list -c wrangler.toml", "deploy -c wrangler.toml"]);
    expect(warnings).toContain("events go to log lines and Analytics Engine only");
  });
});

describe("npm run deploy -- --dry-run", () => {
  it("runs only wrangler's own dry run, and prints the steps", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const { failure, printed } = await deployWith(wrangler, {}, { dryRun: true });
    expect(failure).toBeNull();
    expect(wrangler.commands).toEqual([
      "deploy --dry-run -c wrangler.records.toml",
      "deploy --dry-run -c wrangler.generated.toml",
    ]);
    for (const step of [CREATE, REMOVE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY])
      expect(printed).toContain(`npx wrangler ${step}\n`);
  });

  it("prints the secrets that the gateway requires", async () => {
    const { printed } = await deployWith(
      fakeWrangler(emptyAccount()),
      { gateway: CENTRAL_KEYS },
      { dryRun: true },
    );
    expect(printed).toContain("Require the gateway's secret OPENAI_API_KEY\n");
  });

  it("bundles only the gateway with --gateway-only", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const { printed } = await deployWith(wrangler, {}, { dryRun: true, gatewayOnly: true });
    expect(wrangler.commands).toEqual(["deploy --dry-run -c wrangler.toml"]);
    expect(printed).toContain("npx wrangler deploy -c wrangler.toml\n");
  });
});

describe("the generated configuration", () => {
  const text = readFileSync(join(ROOT, "wrangler.toml"), "utf8");

  it("is the same from a file whose block is uncommented already", () => {
    const generated = withRecordsBindings(text);
    expect(generated).toMatch(/^\[\[services\]\]$/m);
    const uncommented = text.replace(/(?<=^# >>> records\n)[^]*(?=^# <<< records$)/m, (block) =>
      block.replaceAll(/^# ?/gm, ""),
    );
    expect(withRecordsBindings(uncommented)).toBe(generated);
  });

  it("is generated from a file with Windows' line ends", () => {
    expect(withRecordsBindings(text.replaceAll("\n", "\r\n"))).toMatch(/^\[\[services\]\]\r?$/m);
  });
});
