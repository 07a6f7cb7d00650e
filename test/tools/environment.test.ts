import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { deriveEnvironment } from "../../tools/deploy/environment-config.ts";
import type { RawConfig } from "../../tools/deploy/raw-config.ts";
import { environmentIssue } from "../../tools/deploy/files.ts";
import { readWorkers } from "../../tools/deploy/worker-configs.ts";
import { sentenceOf } from "../../tools/local/start-failure.ts";
import { deployWith, folderWith, type Edit, type Edits } from "./deploy-with.ts";
import { emptyAccount, GATEWAY, RECORDS, stateOf } from "./fake-account.ts";
import { fakeWrangler } from "./fake-wrangler.ts";

const STAGING = { gatewayOnly: false, environment: "staging" } as const;
const SCRIPTS = new Map([
  [GATEWAY, `${GATEWAY}-staging`],
  [RECORDS, `${RECORDS}-staging`],
]);

const derive = (raw: RawConfig, override?: RawConfig) =>
  deriveEnvironment(
    { name: GATEWAY, ...raw, ...(override && { env: { staging: override } }) },
    "staging",
    SCRIPTS,
  );

/** TOML at the end of wrangler.toml or wrangler.records.toml. */
const added = (text: string) => [[/$/, `\n${text}\n`]] as const;

function failureOf(edits: Edits, environment = "staging"): string {
  try {
    readWorkers(folderWith(edits), { gatewayOnly: false, environment });
    return "none";
  } catch (error) {
    return sentenceOf(error);
  }
}

describe("the configuration of an environment", () => {
  it("gives each resource a name of its own", () => {
    const { config, issues } = derive({
      analytics_engine_datasets: [{ binding: "A", dataset: "ai_a" }, { binding: "B" }],
      queues: {
        producers: [{ binding: "EVENTS", queue: "events" }],
        consumers: [{ queue: "events", dead_letter_queue: "dead", max_retries: 3 }, { queue: "dead" }],
      },
      d1_databases: [{ binding: "LEDGER", database_name: "ledger", database_id: "0a", migrations_dir: "m" }],
      r2_buckets: [{ binding: "ARCHIVE", bucket_name: "archive" }],
      services: [{ binding: "RECORDS", service: RECORDS, entrypoint: "Api" }],
      durable_objects: {
        bindings: [
          { name: "OWN", class_name: "A" },
          { name: "OTHER", class_name: "B", script_name: RECORDS },
        ],
      },
      migrations: [{ tag: "v1", new_sqlite_classes: ["A"] }],
    });
    expect(issues).toEqual([]);
    expect(config).toEqual({
      name: `${GATEWAY}-staging`,
      analytics_engine_datasets: [
        { binding: "A", dataset: "ai_a_staging" },
        { binding: "B", dataset: "B_staging" },
      ],
      queues: {
        producers: [{ binding: "EVENTS", queue: "events-staging" }],
        consumers: [
          { queue: "events-staging", dead_letter_queue: "dead-staging", max_retries: 3 },
          { queue: "dead-staging" },
        ],
      },
      // The id would be production's.
      d1_databases: [{ binding: "LEDGER", database_name: "ledger-staging", migrations_dir: "m" }],
      r2_buckets: [{ binding: "ARCHIVE", bucket_name: "archive-staging" }],
      services: [{ binding: "RECORDS", service: `${RECORDS}-staging`, entrypoint: "Api" }],
      durable_objects: {
        bindings: [
          { name: "OWN", class_name: "A" },
          { name: "OTHER", class_name: "B", script_name: `${RECORDS}-staging` },
        ],
      },
      migrations: [{ tag: "v1", new_sqlite_classes: ["A"] }],
    });
  });

  it("inherits variables and triggers, but no routes", () => {
    const shared = { vars: { A: 1 }, triggers: { crons: ["* * * * *"] }, workers_dev: false };
    const { config } = derive({ ...shared, routes: ["ai.example.com/*"], route: "b.example.com/*" });
    expect(config).toEqual({ name: `${GATEWAY}-staging`, ...shared });
  });

  it("takes each setting of [env.staging] whole, as wrangler does", () => {
    const { config, issues } = derive(
      { vars: { A: 1, B: 2 }, kv_namespaces: [{ binding: "KEYS", id: "1" }], workers_dev: false },
      {
        vars: { B: 3 },
        kv_namespaces: [{ binding: "KEYS", id: "2" }],
        routes: ["s.example.com/*"],
        workers_dev: true,
      },
    );
    expect(issues).toEqual([]);
    expect(config).toEqual({
      name: `${GATEWAY}-staging`,
      vars: { B: 3 },
      kv_namespaces: [{ binding: "KEYS", id: "2" }],
      routes: ["s.example.com/*"],
      workers_dev: true,
    });
  });

  it.each<readonly [RawConfig, string]>([
    [
      { kv_namespaces: [{ binding: "KEYS", id: "1" }] },
      "env.staging.kv_namespaces must be set: an id cannot be derived. `npx wrangler kv namespace create KEYS-staging` prints one",
    ],
    [
      { d1_databases: [{ binding: "LEDGER", database_id: "1" }] },
      "env.staging.d1_databases must be set: LEDGER has no database_name",
    ],
    [
      { r2_buckets: [{ binding: "ARCHIVE" }] },
      "env.staging.r2_buckets must be set: ARCHIVE has no bucket_name",
    ],
    [
      { services: [{ binding: "AUDIT", service: "audit" }] },
      'env.staging.services must be set: AUDIT is bound to the Worker "audit", which is not deployed here',
    ],
    [
      { durable_objects: { bindings: [{ name: "X", class_name: "X", script_name: "x" }] } },
      'env.staging.durable_objects must be set: X is bound to the Worker "x", which is not deployed here',
    ],
    ...["hyperdrive", "tail_consumers", "ratelimits"].map(
      (key) =>
        [
          { [key]: [{ binding: "X", id: "1" }] },
          `env.staging.${key} must be set: an environment must not share what it names with production`,
        ] as const,
    ),
    [
      { unsafe: { bindings: [{ name: "X" }] } },
      "env.staging.unsafe must be set: an environment must not share what it names with production",
    ],
  ])("requires a setting of its own for %j", (raw, issue) => {
    expect(derive(raw).issues).toEqual([issue]);
  });

  it("is written beside the configurations, as the deployment reads it", () => {
    const folder = folderWith({
      gateway: added("[env.staging]\nworkers_dev = true\nroutes = ['s.example.com/*']"),
    });
    const { gateway, records } = readWorkers(folder, STAGING);
    expect(gateway).toMatchObject({
      name: `${GATEWAY}-staging`,
      workers_dev: true,
      routes: ["s.example.com/*"],
    });
    expect(records).toMatchObject({
      name: `${RECORDS}-staging`,
      source: "wrangler.records.toml, [env.staging]",
    });
    const text = readFileSync(join(folder, "wrangler.generated.staging.jsonc"), "utf8");
    expect(text).toMatch(
      /^\/\/ Generated from wrangler\.toml by npm run deploy -- --env staging; do not edit\.\n/,
    );
  });
});

describe("an environment cannot name what production uses", () => {
  const ROUTES: Edits["gateway"] = [
    ["# routes = ", "routes = "],
    ["ai.your-company.com", "ai.acme-corp.com"],
  ];

  it.each<readonly [string, Edits, string]>([
    [
      "the gateway's script",
      { gateway: added(`[env.staging]\nname = "${GATEWAY}"`) },
      `name must not name "${GATEWAY}"`,
    ],
    [
      "the records Worker's script",
      { gateway: added(`[env.staging]\nname = "${RECORDS}"`) },
      `name must not name "${RECORDS}"`,
    ],
    [
      "its queue",
      { gateway: added('[[env.staging.queues.producers]]\nbinding = "EVENTS"\nqueue = "ai-events"') },
      'queues.producers must not name "ai-events"',
    ],
    [
      "its queue as a dead-letter queue",
      { records: added('[[env.staging.queues.consumers]]\nqueue = "x"\ndead_letter_queue = "ai-events"') },
      'queues.consumers must not name "ai-events"',
    ],
    [
      "its database",
      { records: added('[[env.staging.d1_databases]]\nbinding = "LEDGER"\ndatabase_name = "ai-ledger"') },
      'd1_databases must not name "ai-ledger"',
    ],
    [
      "its data set",
      {
        gateway: added(
          '[[env.staging.analytics_engine_datasets]]\nbinding = "OVERRIDES"\ndataset = "ai_overrides"',
        ),
      },
      'analytics_engine_datasets must not name "ai_overrides"',
    ],
    [
      "its records Worker as a service",
      { gateway: added(`[[env.staging.services]]\nbinding = "RECORDS"\nservice = "${RECORDS}"`) },
      `services must not name "${RECORDS}"`,
    ],
    [
      "its namespace",
      {
        gateway: added(
          '[[kv_namespaces]]\nbinding = "KEYS"\nid = "1f"\n[[env.staging.kv_namespaces]]\nbinding = "KEYS"\nid = "1F"',
        ),
      },
      'kv_namespaces must not name "1F"',
    ],
    [
      "its custom domain",
      {
        gateway: [
          ...ROUTES,
          ...added('[env.staging]\nroutes = [{ pattern = "ai.acme-corp.com", custom_domain = true }]'),
        ],
      },
      'routes must not name "ai.acme-corp.com"',
    ],
    // Such a route runs before the custom domain.
    [
      "its host by a route with a wildcard",
      { gateway: [...ROUTES, ...added('[env.staging]\nroutes = ["*.acme-corp.com/v1/*"]')] },
      'routes must not name "*.acme-corp.com"',
    ],
  ])("%s", async (_, edits, issue) => {
    const wrangler = fakeWrangler(emptyAccount());
    const { failure } = await deployWith(wrangler, edits, STAGING);
    expect(failure).toContain(`, [env.staging]: ${issue}, which production uses.`);
    expect(failure).toMatch(/\nNothing was deployed\.$/);
    expect(wrangler.commands).toEqual([]);
  });

  it.each(["records", "records-x"])(
    "--env %s, which would end in the name of another script",
    (environment) => {
      expect(failureOf({}, environment)).toContain(
        '--env must not begin with "records": production has a name',
      );
    },
  );

  it("accepts another host of the same zone", () => {
    const route = added('[env.staging]\nroutes = ["ai-staging.acme-corp.com/*"]');
    expect(failureOf({ gateway: [...ROUTES, ...route] })).toBe("none");
  });
});

describe("npm run deploy -- --env", () => {
  it("changes nothing of production", async () => {
    const account = emptyAccount();
    await deployWith(fakeWrangler(account));
    const production = stateOf(account);
    const wrangler = fakeWrangler(account);
    const { failure, printed } = await deployWith(wrangler, {}, STAGING);
    expect(failure).toBeNull();
    expect(wrangler.changes.map((command) => command.replace(/-c \S+/, "…"))).toEqual([
      "queues create ai-events-staging …",
      "queues create ai-events-dead-staging …",
      "d1 create ai-ledger-staging … --update-config=false",
      "d1 migrations apply LEDGER --remote …",
      "deploy …",
      "deploy …",
    ]);
    expect(wrangler.commands.every((command) => /-c wrangler\.generated\.staging\./.test(command))).toBe(
      true,
    );
    expect(printed).toContain(`Deployed ${RECORDS}-staging and ${GATEWAY}-staging.\n`);
    expect(stateOf(account, "-staging")).toEqual(production);
  });

  it("names the environment's commands in its warnings and problems", async () => {
    const { warnings } = await deployWith(fakeWrangler(emptyAccount()), {}, STAGING);
    expect(warnings).toContain(
      "`npx wrangler secret put ADMIN_TOKEN -c wrangler.generated.staging.records.jsonc`",
    );
    expect(warnings).toContain("`npm run -s keys -- admin --env staging`");
    expect(warnings).toContain("wrangler.toml, [env.staging] has no routes and workers_dev is false");
  });

  // The queue is renamed for the environment, the variable is not: its dead letters would be deleted after their retries.
  it("requires DEAD_LETTER_QUEUE to have the environment's name of the queue", async () => {
    const records: readonly Edit[] = [
      [/"ai-events-dead"/g, '"parked"'],
      [/$/, '\n[vars]\nDEAD_LETTER_QUEUE = "parked"\n'],
    ];
    expect((await deployWith(fakeWrangler(emptyAccount()), { records })).failure).toBeNull();
    const { failure } = await deployWith(fakeWrangler(emptyAccount()), { records }, STAGING);
    expect(failure).toContain('DEAD_LETTER_QUEUE must be "parked-staging"');
  });

  it("reports a variable of the environment by its source", async () => {
    const edits = {
      gateway: added('[env.staging.vars.PROVIDERS.openai]\ntype = "opnai"\nbase_url = "https://a.b"'),
    };
    const { failure } = await deployWith(fakeWrangler(emptyAccount()), edits, STAGING);
    expect(failure).toContain("wrangler.toml, [env.staging]: PROVIDERS.openai.type must be");
  });

  it("deploys only the environment's gateway with --gateway-only", async () => {
    const wrangler = fakeWrangler(emptyAccount());
    await deployWith(wrangler, {}, { ...STAGING, gatewayOnly: true });
    expect(wrangler.commands.at(-1)).toBe("deploy -c wrangler.generated.staging.jsonc");
    expect(wrangler.commands).toHaveLength(2);
  });

  afterEach(() => void delete process.env["CLOUDFLARE_ENV"]);
  it("refuses to run where CLOUDFLARE_ENV would change what wrangler deploys", async () => {
    process.env["CLOUDFLARE_ENV"] = "staging";
    const wrangler = fakeWrangler(emptyAccount());
    const { failure } = await deployWith(wrangler);
    expect(failure).toContain('CLOUDFLARE_ENV must not be set, but is "staging": use --env.');
    expect(wrangler.commands).toEqual([]);
  });
});

describe("the name of an environment", () => {
  it.each(["staging", "eu-2", "q"])("may be %s", (name) => expect(environmentIssue(name)).toBeNull());
  it.each(["", "Staging", "a_b", "-a", "a-", "../x", "2a", "a".repeat(31)])("must not be %j", (name) => {
    expect(environmentIssue(name)).toContain("--env must be a name");
  });
});
