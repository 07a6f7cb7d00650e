import { describe, expect, it, vi } from "vitest";
import { main } from "../../tools/deploy.ts";
import { CENTRAL_KEYS, CONSUMERS, deployWith, type Edit, type Edits } from "./deploy-with.ts";
import {
  deployedWorker,
  emptyAccount,
  GATEWAY,
  ledger,
  RECORDS,
  singleWorkerAccount,
  versionId,
  type FakeAccount,
} from "./fake-account.ts";
import { fakeWrangler } from "./fake-wrangler.ts";

const CREATE = "queues create ai-events -c wrangler.generated.records.jsonc";
const CREATE_DEAD = "queues create ai-events-dead -c wrangler.generated.records.jsonc";
const REMOVE = `queues consumer remove ai-events ${GATEWAY} -c wrangler.generated.records.jsonc`;
const CREATE_DATABASE = "d1 create ai-ledger -c wrangler.generated.records.jsonc --update-config=false";
const MIGRATE = "d1 migrations apply LEDGER --remote -c wrangler.generated.records.jsonc";
const DEPLOY_RECORDS = "deploy -c wrangler.generated.records.jsonc";
const DEPLOY_UNBOUND = "deploy -c wrangler.generated.records.unbound.jsonc";
const DEPLOY_GATEWAY = "deploy -c wrangler.generated.jsonc";

/** A consumer of the dead-letter queue, which has a dead-letter queue of its own. */
const DEAD_LETTERS = `[[queues.consumers]]
queue = "ai-events"
dead_letter_queue = "ai-events-dead"

[[queues.consumers]]
queue = "ai-events-dead"
dead_letter_queue = "ai-events-lost"
`;

describe("npm run deploy", () => {
  it("creates queue and database, migrates, and deploys the records Worker before the gateway on an empty account", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const { failure, printed } = await deployWith(wrangler);
    expect(failure).toBeNull();
    expect(wrangler.changes).toEqual([
      CREATE,
      CREATE_DEAD,
      CREATE_DATABASE,
      MIGRATE,
      DEPLOY_RECORDS,
      DEPLOY_GATEWAY,
    ]);
    expect(printed).toContain("1/6 Create the queue ai-events\n");
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
    expect(wrangler.changes).toEqual([CREATE_DEAD, REMOVE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY]);
    expect(account.queues.get("ai-events")).toEqual([{ type: "worker", script: RECORDS }]);
  });

  it("creates every queue that is consumed and every dead-letter queue, each once", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    await deployWith(wrangler, { records: [[CONSUMERS, DEAD_LETTERS]] });
    expect(wrangler.changes.filter((command) => command.startsWith("queues"))).toEqual([
      CREATE,
      "queues create ai-events-dead -c wrangler.generated.records.jsonc",
      "queues create ai-events-lost -c wrangler.generated.records.jsonc",
    ]);
  });

  it("removes the old consumer only from the queues that it consumes", async () => {
    const account = singleWorkerAccount();
    const wrangler = fakeWrangler(account);
    account.queues.set("ai-events-dead", []);
    await deployWith(wrangler, { records: [[CONSUMERS, DEAD_LETTERS]] });
    expect(wrangler.changes.filter((command) => command.startsWith("queues"))).toEqual([
      "queues create ai-events-lost -c wrangler.generated.records.jsonc",
      REMOVE,
    ]);
  });

  it("uses a database that exists, for example in a location that was chosen", async () => {
    const wrangler = fakeWrangler({ ...emptyAccount(), databases: [ledger()] });
    expect((await deployWith(wrangler)).failure).toBeNull();
    expect(wrangler.changes).toEqual([CREATE, CREATE_DEAD, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY]);
  });

  it("needs neither queue nor database where the configurations have none", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    const queue: Edit = [/# \[\[queues\.producers\]\]\n# binding.*\n# queue.*\n/, ""];
    const consumer: Edit = [CONSUMERS, ""];
    const archive: Edit = ["# [[r2_buckets]]\n# binding", "[[r2_buckets]]\nbinding"];
    const noLedger: Edit = [/\[\[d1_databases\]\]\n(?:\w.*\n)*/, ""];
    await deployWith(wrangler, { gateway: [queue], records: [consumer, archive, noLedger] });
    expect(wrangler.commands.filter((command) => /^(?:queues|d1)/.test(command))).toEqual([]);
  });
});

/** The Worker to which the records Worker is bound. */
const boundTo = (account: FakeAccount, suffix = ""): unknown => {
  const bindings = account.workers.get(RECORDS + suffix)?.versions.at(-1)?.bindings;
  return bindings?.find(({ name }) => name === "GATEWAY")?.["service"];
};

/** Each Worker binds the other, and Cloudflare accepts a binding only to a Worker that exists. */
describe("npm run deploy with a console on a host of its own", () => {
  const WITH_CONSOLE: Edits = {
    records: [["[triggers]", '[vars.CONSOLE]\norigins = ["https://console.acme-corp.com"]\n\n[triggers]']],
  };
  const deployTwice = async (account: FakeAccount, environment: string | null = null) => {
    const runs = [1, 2].map(() => fakeWrangler(account, { bindsGateway: true }));
    for (const wrangler of runs)
      expect((await deployWith(wrangler, WITH_CONSOLE, { environment })).failure).toBeNull();
    return runs.map(({ changes }) => changes.filter((command) => command.startsWith("deploy ")));
  };

  it("deploys the records Worker without its binding, the gateway, and the records Worker again; later each once", async () => {
    const account = emptyAccount();
    expect(await deployTwice(account)).toEqual([
      [DEPLOY_UNBOUND, DEPLOY_GATEWAY, DEPLOY_RECORDS],
      [DEPLOY_RECORDS, DEPLOY_GATEWAY],
    ]);
    expect(boundTo(account)).toBe(GATEWAY);
  });

  it("does the same where the gateway is of a version without the entrypoint", async () => {
    const account = emptyAccount();
    await deployWith(fakeWrangler(account));
    account.workers.set(GATEWAY, deployedWorker());
    expect(await deployTwice(account)).toEqual([
      [DEPLOY_UNBOUND, DEPLOY_GATEWAY, DEPLOY_RECORDS],
      [DEPLOY_RECORDS, DEPLOY_GATEWAY],
    ]);
    expect(boundTo(account)).toBe(GATEWAY);
  });

  // Wrangler would return to the deployment before the last one, which has the new code without the binding.
  it("prints the id to roll back to where it deployed an existing records Worker twice, and only then", async () => {
    const account = emptyAccount();
    const deploy = async (edits: Edits): Promise<string> => {
      const wrangler = fakeWrangler(account, { bindsGateway: edits === WITH_CONSOLE });
      const { failure, printed } = await deployWith(wrangler, edits);
      expect(failure).toBeNull();
      return printed;
    };
    expect(await deploy({})).not.toContain("rollback");
    const former = account.workers.get(RECORDS)?.deployed ?? "";
    expect(await deploy(WITH_CONSOLE)).toContain(
      `npx wrangler rollback ${former} -c wrangler.generated.records.jsonc`,
    );
    expect(account.workers.get(RECORDS)?.versions).toHaveLength(3);
    expect(await deploy(WITH_CONSOLE)).not.toContain("rollback");
    const bound = fakeWrangler(emptyAccount(), { bindsGateway: true });
    expect((await deployWith(bound, WITH_CONSOLE)).printed).not.toContain("rollback");
  });

  it("prints that id too where a step fails after the first deployment of the records Worker", async () => {
    const rollback = `npx wrangler rollback ${versionId(0)} -c wrangler.generated.records.jsonc`;
    for (const [step, isPrinted] of [
      [DEPLOY_UNBOUND, false],
      [DEPLOY_GATEWAY, true],
      [DEPLOY_RECORDS, true],
    ] as const) {
      const account = emptyAccount();
      await deployWith(fakeWrangler(account));
      const failing = fakeWrangler(account, { bindsGateway: true, fails: (command) => command === step });
      const { failure } = await deployWith(failing, WITH_CONSOLE);
      expect([step, failure?.includes(rollback)]).toEqual([step, isPrinted]);
    }
  });

  it("deploys in three steps where the deployed binding has no entrypoint, or another one", async () => {
    for (const entrypoint of [undefined, "Other"]) {
      const account = emptyAccount();
      await deployTwice(account);
      const version = account.workers.get(RECORDS)?.versions.at(-1);
      const binding = {
        name: "GATEWAY",
        type: "service",
        service: GATEWAY,
        ...(entrypoint && { entrypoint }),
      };
      Object.assign(version ?? {}, { bindings: [binding] });
      const [deploys] = await deployTwice(account);
      expect(deploys).toEqual([DEPLOY_UNBOUND, DEPLOY_GATEWAY, DEPLOY_RECORDS]);
    }
  });

  it.each([
    ["deployments status", "{}"],
    ["deployments status", '{ "versions": [{}] }'],
    ["versions view", "{}"],
    ["versions view", '{ "resources": {} }'],
  ])("deploys nothing where wrangler's `%s` prints %s", async (command, stdout) => {
    const account = emptyAccount();
    await deployTwice(account);
    const wrangler = fakeWrangler(account, { bindsGateway: true });
    const run: typeof wrangler.run = (args) =>
      args.join(" ").startsWith(command)
        ? Promise.resolve({ ok: true, stdout, lines: [stdout] })
        : wrangler.run(args);
    const { failure } = await deployWith({ ...wrangler, run }, WITH_CONSOLE);
    expect(failure).toContain("did not print the expected JSON object");
    expect(failure).toContain(`npx wrangler ${command}`);
    expect(wrangler.changes).toEqual([]);
  });

  it("binds the Workers of an environment to each other", async () => {
    const account = emptyAccount();
    const [first = []] = await deployTwice(account, "staging");
    expect(first).toEqual([
      "deploy -c wrangler.generated.staging.records.unbound.jsonc",
      "deploy -c wrangler.generated.staging.jsonc",
      "deploy -c wrangler.generated.staging.records.jsonc",
    ]);
    expect(boundTo(account, "-staging")).toBe(`${GATEWAY}-staging`);
  });

  it.each([DEPLOY_UNBOUND, DEPLOY_GATEWAY, DEPLOY_RECORDS])(
    "ends with the binding after %s failed",
    async (step) => {
      const account = emptyAccount();
      const failing = fakeWrangler(account, { bindsGateway: true, fails: (command) => command === step });
      expect((await deployWith(failing, WITH_CONSOLE)).failure).toContain(`npx wrangler ${step}`);
      expect(boundTo(account)).toBeUndefined();
      await deployTwice(account);
      expect(boundTo(account)).toBe(GATEWAY);
    },
  );

  it("prints the three commands in a dry run", async () => {
    const { printed } = await deployWith(fakeWrangler(emptyAccount()), WITH_CONSOLE, { dryRun: true });
    const [empty = "", upgrade = "", later = ""] = printed
      .slice(printed.indexOf("On an empty"))
      .split(/\n\n(?=\S)/);
    for (const text of [empty, upgrade])
      expect([...text.matchAll(/npx wrangler (deploy .*)/g)].map(([, command]) => command)).toEqual([
        DEPLOY_UNBOUND,
        DEPLOY_GATEWAY,
        DEPLOY_RECORDS,
      ]);
    expect(later).not.toContain("unbound");
    expect(printed.slice(printed.indexOf("Rolling back"))).toContain("add the version's id");
  });

  // Without the entrypoint, the binding would reach the providers' routes.
  it("deploys nothing where the operator's own binding names another Worker or entrypoint", async () => {
    for (const service of [`service = "other"\nentrypoint = "OwnRoutes"`, `service = "${GATEWAY}"`]) {
      const binding: Edit = ["[triggers]", `[[services]]\nbinding = "GATEWAY"\n${service}\n\n[triggers]`];
      const wrangler = fakeWrangler(emptyAccount());
      const { failure } = await deployWith(wrangler, { records: [binding] });
      expect(failure).toContain(`the binding GATEWAY must have service = "${GATEWAY}"`);
      expect(wrangler.commands).toEqual([]);
    }
  });
});

const printsNone = async () => ({ ok: true, stdout: "none", lines: ["none"] });

describe("npm run deploy stops at the first step that fails", () => {
  const steps = [REMOVE, MIGRATE, DEPLOY_RECORDS, DEPLOY_GATEWAY];

  it.each(steps.map((step, at) => [step, at] as const))("%s", async (step, at) => {
    const account = singleWorkerAccount();
    account.queues.set("ai-events-dead", []);
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
    expect((await deployWith(wrangler)).failure).toContain("Step 1 of 6 failed: Create the queue ai-events");
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
      "when a secret is bound to the Secrets Store",
      {
        gateway: [
          ...CENTRAL_KEYS,
          [
            /$/,
            '\n[[secrets_store_secrets]]\nbinding = "OPENAI_API_KEY"\nstore_id = "1"\nsecret_name = "k"\n',
          ],
        ],
      },
      "wrangler.toml: OPENAI_API_KEY must be a text secret: Secrets Store bindings are not supported.",
    ],
    [
      "when a table of the gateway is larger than a variable may be",
      {
        gateway: [
          [
            "[vars.PROVIDERS.openai]",
            `[vars]\nNOTE = { text = "${"é".repeat(2560)}" }\n[vars.PROVIDERS.openai]`,
          ],
        ],
      },
      "wrangler.toml: NOTE must have at most 5120 bytes, Cloudflare's limit for a variable; it has 5131.",
    ],
    [
      "when a variable of the records Worker is larger than one may be",
      { records: [[/$/, `\n[vars]\nNOTE = "${"x".repeat(5121)}"\n`]] },
      "wrangler.records.toml: NOTE must have at most 5120 bytes, Cloudflare's limit for a variable; it has 5121.",
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
      "when the id of a KV namespace is a placeholder",
      { gateway: [[/$/, '\n[[kv_namespaces]]\nbinding = "KEYS"\nid = "…"\n']] },
      "wrangler.toml: the id of KEYS must be the 32 hex digits",
    ],
    [
      "when database_id is a placeholder",
      { records: [['binding = "LEDGER"', 'binding = "LEDGER"\ndatabase_id = "<id>"']] },
      "wrangler.records.toml: the database_id of LEDGER must be the UUID",
    ],
    [
      "when the records Worker consumes another queue",
      { records: [['queue = "ai-events"', 'queue = "ai-event"']] },
      'wrangler.records.toml must consume the queue "ai-events", to which EVENTS in wrangler.toml sends; it consumes "ai-event", "ai-events-dead".',
    ],
    [
      "when no consumer takes the dead-letter queue",
      {
        records: [
          ['queue = "ai-events-dead"\nmax_batch_size = 1', 'queue = "ai-other-dead"\nmax_batch_size = 1'],
        ],
      },
      'wrangler.records.toml must consume the dead-letter queue "ai-events-dead".',
    ],
    [
      "when the Worker would not recognize its dead-letter queue",
      { records: [[/"ai-events-dead"/g, '"parked"']] },
      'wrangler.records.toml: DEAD_LETTER_QUEUE must be "parked", so that the Worker recognizes that queue.',
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
    expect(failure?.toLowerCase()).toContain("nothing was deployed");
    expect(wrangler.commands).toEqual([]);
  });

  it.each<readonly [string, Edits, Partial<FakeAccount>, string]>([
    [
      "when a secret of the gateway is missing",
      { gateway: CENTRAL_KEYS },
      { workers: new Map([[GATEWAY, deployedWorker(["OPENAI_API_KEY", "CLIENT_KEYS"])]]) },
      "The gateway has no secret OPENAI_API_KEY_2: set it with `npx wrangler secret put OPENAI_API_KEY_2 -c wrangler.generated.jsonc`.",
    ],
    // Otherwise a mistyped or forgotten name would split the ledger in two.
    ...[
      ["a records Worker", { workers: new Map([[RECORDS, deployedWorker()]]) }],
      ["a gateway with a token", { workers: new Map([[GATEWAY, deployedWorker(["ADMIN_TOKEN"])]]) }],
      ["a gateway that consumes the queue", { queues: singleWorkerAccount().queues }],
    ].map(
      ([deployed, account]) =>
        [
          `when the database does not exist beside ${String(deployed)}`,
          {},
          account as Partial<FakeAccount>,
          "The database ai-ledger of wrangler.records.toml does not exist in this account, which has an earlier deployment: name the database of that deployment, or create a new one with `npx wrangler d1 create ai-ledger`.",
        ] as const,
    ),
    [
      "when database_id is that of no database",
      {
        records: [
          ['binding = "LEDGER"', `binding = "LEDGER"\ndatabase_id = "${ledger().uuid.replace("0a", "0b")}"`],
        ],
      },
      {},
      "does not exist in this account: correct its database_id.",
    ],
    [
      "when another Worker consumes the queue",
      {},
      { queues: new Map([["ai-events", [{ type: "worker", script: "billing" }]]]) },
      "`npx wrangler queues consumer remove ai-events billing -c wrangler.generated.records.jsonc`",
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

  it("accepts a variable of the largest size", async () => {
    const records: Edit = [/$/, `\n[vars]\nNOTE = "${"x".repeat(5120)}"\n`];
    expect((await deployWith(fakeWrangler(emptyAccount()), { records: [records] })).failure).toBeNull();
  });

  it("accepts secrets that are set and a database by its id", async () => {
    const secrets = ["OPENAI_API_KEY", "OPENAI_API_KEY_2", "CLIENT_KEYS"];
    const workers = new Map([[GATEWAY, deployedWorker(secrets)]]);
    const wrangler = fakeWrangler({ ...emptyAccount(), workers, databases: [ledger()] });
    const byId: Edit = ['binding = "LEDGER"', `binding = "LEDGER"\ndatabase_id = "${ledger().uuid}"`];
    expect((await deployWith(wrangler, { gateway: CENTRAL_KEYS, records: [byId] })).failure).toBeNull();
  });
});

const withRecording = (value: string): Edit => [
  "[vars.PROVIDERS.openai]",
  `[vars]\nRECORDING = ${value}\n[vars.PROVIDERS.openai]`,
];

/** With these secrets in an account that has a deployment; `vars` are the records Worker's. */
const deployedWith = (gateway: readonly string[], records: readonly string[], vars?: string) =>
  deployWith(
    fakeWrangler({
      ...emptyAccount(),
      workers: new Map([
        [GATEWAY, deployedWorker(gateway)],
        [RECORDS, deployedWorker(["ADMIN_TOKEN", ...records])],
      ]),
      databases: [ledger()],
    }),
    vars === undefined ? {} : { records: [["[triggers]", `[vars]\n${vars}\n[triggers]`]] },
  );

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
    expect(warnings).toContain("`npx wrangler secret delete ADMIN_TOKEN -c wrangler.generated.jsonc`");
    expect(warnings).toContain("`npx wrangler secret put ADMIN_TOKEN -c wrangler.generated.records.jsonc`");
  });

  it("does not warn where the records Worker has its ADMIN_TOKEN and the gateway a route", async () => {
    const workers = new Map([[RECORDS, deployedWorker(["ADMIN_TOKEN"])]]);
    const account = { ...emptyAccount(), workers, databases: [ledger()] };
    const gateway: Edit[] = [["# routes = ", "routes = "]];
    const { warnings } = await deployWith(fakeWrangler(account), { gateway });
    expect(warnings).toBe("");
  });

  const WITHOUT_KEY = "The records Worker has no EVENT_MAC_KEY: it cannot tell the gateway's events";

  it.each([
    ["neither Worker has", [], [], true],
    ["only the gateway has", ["EVENT_MAC_KEY"], [], true],
    ["both Workers have", ["EVENT_MAC_KEY"], ["EVENT_MAC_KEY"], false],
  ])("says that MACs are not verified where %s EVENT_MAC_KEY: %#", async (_, gateway, records, warned) => {
    const { failure, warnings } = await deployedWith(gateway, records);
    expect(failure).toBeNull();
    expect(warnings.includes(WITHOUT_KEY)).toBe(warned);
    expect(warnings.includes("secret put EVENT_MAC_KEY")).toBe(warned && gateway.length > 0);
  });

  // With the key in the records Worker alone, the ledger would get no event at all.
  it("deploys nothing where only the records Worker has EVENT_MAC_KEY, unless it accepts events without a MAC", async () => {
    const { failure } = await deployedWith([], ["EVENT_MAC_KEY"]);
    expect(failure).toContain("`npx wrangler secret put EVENT_MAC_KEY -c wrangler.generated.jsonc`");
    expect((await deployedWith([], ["EVENT_MAC_KEY"], 'EVENT_MAC = "accept"')).failure).toBeNull();
  });

  it("deploys nothing where EVENT_MAC is set without the key", async () => {
    const { failure } = await deployedWith(["EVENT_MAC_KEY"], [], 'EVENT_MAC = "require"');
    expect(failure).toContain("The records Worker has no secret EVENT_MAC_KEY");
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
    account.workers.set(RECORDS, deployedWorker());
    account.queues.set("ai-events", []);
    const { failure, warnings } = await deployWith(wrangler, {}, { gatewayOnly: true });
    expect(failure).toBeNull();
    expect(wrangler.commands).toEqual([
      "secret list -c wrangler.generated.jsonc",
      "deploy -c wrangler.generated.jsonc",
    ]);
    expect(warnings).toContain("events go to log lines and Analytics Engine only");
  });
});

describe("npm run deploy without -- before its options", () => {
  // npm takes the option for itself and passes nothing on: `npm run deploy --dry-run` would deploy to production.
  it.each(["dry_run", "env", "gateway_only"])("is refused where npm has %s", async (name) => {
    vi.stubEnv(`npm_config_${name}`, "staging");
    const printed = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(await main([])).toBe(2);
    expect(printed.mock.calls.join("")).toContain("Put -- before the options");
    vi.unstubAllEnvs();
    printed.mockRestore();
  });
});
