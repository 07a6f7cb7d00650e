/** The printed commands of a deployment, run in their order by the pinned wrangler against a fake of Cloudflare's API. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { readAccount } from "../../tools/deploy/account.ts";
import { deployWorkers, type DeployOptions } from "../../tools/deploy/deployment.ts";
import { adviceFor } from "../../tools/deploy/failure.ts";
import { PRODUCTION, readWorkers, type Target } from "../../tools/deploy/worker-configs.ts";
import { outputOf } from "../../tools/deploy/wrangler-runner.ts";
import { runWrangler, type WranglerRun } from "../../tools/local/wrangler.ts";
import { ROOT } from "../../tools/root.ts";
import {
  deployedWorker,
  emptyAccount,
  GATEWAY,
  RECORDS,
  singleWorkerAccount,
  stateOf,
  ledger,
  type FakeAccount,
} from "../tools/fake-account.ts";
import { deployWith } from "../tools/deploy-with.ts";
import { startFakeApi, type FakeApi } from "../tools/fake-cloudflare-api.ts";
import { fakeWrangler } from "../tools/fake-wrangler.ts";

// A test runs up to a dozen commands, of 3 s each on an idle machine and 20 s on a busy one.
vi.setConfig({ testTimeout: 1_200_000 });

const STAGING = { gatewayOnly: false, environment: "staging" } as const;

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
async function useAccount(account: FakeAccount): Promise<FakeApi> {
  const api = await startFakeApi(account);
  process.env["CLOUDFLARE_API_BASE_URL"] = api.url;
  onTestFinished(api.close);
  return api;
}

/** A copy of the project's configurations, in which production has a custom domain. */
function projectFolder(environment = ""): string {
  const folder = mkdtempSync(join(tmpdir(), "deploy-wrangler-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["src", "migrations", "node_modules"]) symlinkSync(join(ROOT, name), join(folder, name));
  copyFileSync(join(ROOT, "wrangler.records.toml"), join(folder, "wrangler.records.toml"));
  // As in a fresh clone: the console's folder without the console.
  mkdirSync(join(folder, "dist/console"), { recursive: true });
  copyFileSync(join(ROOT, "dist/console/.assetsignore"), join(folder, "dist/console/.assetsignore"));
  const toml = readFileSync(join(ROOT, "wrangler.toml"), "utf8")
    .replace("# routes = ", "routes = ")
    .replace("ai.your-company.com", HOST);
  writeFileSync(join(folder, "wrangler.toml"), toml + environment);
  return folder;
}

const HOST = "ai.acme-corp.com";

const runIn =
  (folder: string) =>
  (args: readonly string[]): Promise<WranglerRun> =>
    runWrangler([...args, "--cwd", folder], true);

/** Deploys, or throws with all that was printed. */
async function deployIn(folder: string, options: Partial<DeployOptions> = {}): Promise<string> {
  let printed = "";
  const print = (text: string): void => void (printed += text);
  const deps = { run: runIn(folder), print, printError: print, folder };
  await deployWorkers({ ...PRODUCTION, dryRun: false, ...options }, deps).catch((error: unknown) => {
    throw new Error(printed, { cause: error });
  });
  return printed;
}

const succeed = async (): Promise<WranglerRun> => ({ ok: true, stdout: "", lines: [] });

/** The commands that the dry run prints under a title, as arguments of wrangler. The bundling is left out here. */
async function printedCommands(
  folder: string,
  title: string,
  target: Target = PRODUCTION,
): Promise<readonly (readonly string[])[]> {
  let printed = "";
  const print = (text: string): void => void (printed += text);
  await deployWorkers({ dryRun: true, ...target }, { run: succeed, print, printError: print, folder });
  const block = printed.slice(printed.indexOf(`\n${title}`)).split(/\n\n(?=\S)/)[0] ?? "";
  return [...block.matchAll(/^ {2}npx wrangler (.+)$/gm)].map(([, command = ""]) => command.split(" "));
}

/** Runs the commands in order, and fails with wrangler's output where one fails. */
async function runAll(folder: string, commands: readonly (readonly string[])[]): Promise<void> {
  expect(commands).not.toEqual([]);
  for (const command of commands) {
    const result = await runIn(folder)(command);
    expect(result.ok, `${command.join(" ")}\n${outputOf(result)}`).toBe(true);
  }
}

/** Both Workers, the queue and the ledger are in the state that a deployment must reach. */
function expectDeployed(account: FakeAccount, suffix = ""): void {
  const gateway = account.workers.get(GATEWAY + suffix);
  const records = account.workers.get(RECORDS + suffix);
  expect(gateway?.crons).toEqual([]);
  expect(records?.crons).toEqual(["*/10 * * * *", "* * * * *"]);
  expect(gateway?.versions.at(-1)?.bindings).toContainEqual({
    name: "RECORDS",
    type: "service",
    service: RECORDS + suffix,
  });
  expect(account.queues.get(`ai-events${suffix}`)).toEqual([{ type: "worker", script: RECORDS + suffix }]);
  const applied = account.databases
    .find(({ name }) => name === `ai-ledger${suffix}`)
    ?.sqlite.prepare("SELECT name FROM d1_migrations ORDER BY id")
    .all();
  expect(applied?.map(({ name }) => name)).toContain("0005_public_names.sql");
  expect(records?.secrets).toEqual(["ADMIN_TOKEN"]);
  expect(gateway?.secrets).toEqual([]);
}

const EMPTY = "On an empty account";
const UPGRADE = "Upgrading a deployment from before there were two Workers";
const LATER = "Later deployments";
const ROLLBACK = "Rolling back the last deployment";

describe("the printed commands, run by the pinned wrangler", () => {
  it("deploy both Workers on an empty account, again later, and roll back", async () => {
    const folder = projectFolder();
    const account = emptyAccount();
    await useAccount(account);
    await runAll(folder, await printedCommands(folder, EMPTY));
    expectDeployed(account);
    expect([...account.domains]).toEqual([[HOST, GATEWAY]]);
    await runAll(folder, await printedCommands(folder, LATER));
    expectDeployed(account);
    const [first, second] = account.workers.get(GATEWAY)?.versions ?? [];
    expect(account.workers.get(GATEWAY)?.deployed).toBe(second?.id);
    await runAll(folder, await printedCommands(folder, ROLLBACK));
    expect(account.workers.get(GATEWAY)?.deployed).toBe(first?.id);
    expect(account.workers.get(RECORDS)?.deployed).toBe(first?.id);
  });

  it("upgrade a single Worker that consumes the queue and has the cron", async () => {
    const folder = projectFolder();
    const account = oldDeployment();
    await useAccount(account);
    await runAll(folder, await printedCommands(folder, UPGRADE));
    expectDeployed(account);
    const columns = account.databases[0]?.sqlite.prepare(
      "SELECT name FROM pragma_table_info('interceptions')",
    );
    expect(columns?.all().map(({ name }) => name)).toContain("usage_invalid");
  });

  it("deploy staging beside production, and change nothing of production", async () => {
    const folder = projectFolder();
    const account = emptyAccount();
    await useAccount(account);
    await deployWith(fakeWrangler(account));
    account.domains.set(HOST, GATEWAY);
    const production = stateOf(account);
    await runAll(folder, await printedCommands(folder, EMPTY, STAGING));
    expectDeployed(account, "-staging");
    expect(stateOf(account, "-staging")).toEqual(production);
    const { bindings } = account.workers.get(`${GATEWAY}-staging`)?.versions.at(-1) ?? { bindings: [] };
    expect(JSON.stringify(bindings)).toMatch(/"ai_interceptions_staging".*"ai_overrides_staging"/);
  });
});

/** The settings of a console on a host of its own, in the operator's local file. */
const withConsole = (folder: string): string => {
  const text = '[vars.CONSOLE]\norigins = ["https://console.acme-corp.com"]\n';
  writeFileSync(join(folder, "wrangler.records.local.toml"), text);
  return folder;
};

const toGateway = (suffix = ""): object => ({
  name: "GATEWAY",
  type: "service",
  service: GATEWAY + suffix,
  entrypoint: "OwnRoutes",
});

const boundIn = (account: FakeAccount, suffix = ""): readonly unknown[] | undefined =>
  account.workers.get(RECORDS + suffix)?.versions.at(-1)?.bindings;

describe("two Workers that bind each other, with the pinned wrangler", () => {
  it("are deployed in three steps on an empty account, and later in two", async () => {
    const folder = withConsole(projectFolder());
    const account = emptyAccount();
    await useAccount(account);
    await deployIn(folder);
    expect(account.workers.get(RECORDS)?.versions).toHaveLength(2);
    expect(account.workers.get(RECORDS)?.versions[0]?.bindings).not.toContainEqual(toGateway());
    expect(boundIn(account)).toContainEqual(toGateway());
    const printed = await deployIn(folder);
    expect(printed).toMatch(/^3\/3 Deploy the gateway ai-edge-interceptor$/m);
    expect(boundIn(account)).toContainEqual(toGateway());
  });

  it("are bound also where the gateway is of a version without the entrypoint", async () => {
    const folder = projectFolder();
    const account = emptyAccount();
    await useAccount(account);
    await deployWith(fakeWrangler(account));
    const [version] = account.workers.get(GATEWAY)?.versions ?? [];
    Object.assign(version ?? {}, { exports: [] });
    const printed = await deployIn(withConsole(folder));
    expect(boundIn(account)).toContainEqual(toGateway());
    const [, command = ""] = /npx wrangler (rollback [^`]+)/.exec(printed) ?? [];
    await runAll(folder, [command.split(" ")]);
    expect(account.workers.get(RECORDS)?.deployed).toBe(account.workers.get(RECORDS)?.versions[0]?.id);
  });

  it("are bound by the commands that the dry run prints, also in an environment", async () => {
    const folder = withConsole(projectFolder());
    const account = emptyAccount();
    await useAccount(account);
    await runAll(folder, await printedCommands(folder, EMPTY, STAGING));
    expectDeployed(account, "-staging");
    expect(boundIn(account, "-staging")).toContainEqual(toGateway("-staging"));
  });

  it("are refused in the order without the first step, and the advice names the cause", async () => {
    const folder = withConsole(projectFolder());
    await useAccount({
      ...emptyAccount(),
      databases: [ledger()],
      queues: new Map([
        ["ai-events", []],
        ["ai-events-dead", []],
      ]),
    });
    const failure = await failureOf(folder, LATER, DEPLOY_RECORDS);
    expect(failure).toMatch(/code: 10007/);
    expect(adviceFor(failure)).toContain("npm run deploy");
  });
});

/** A single Worker with the ledger of that time. */
function oldDeployment(): FakeAccount {
  const account = singleWorkerAccount();
  const sqlite = account.databases[0]?.sqlite;
  sqlite?.exec(
    "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
  );
  for (const name of ["0001_ledger", "0002_indices", "0003_owner", "0004_anomalies"]) {
    sqlite?.exec(readFileSync(join(ROOT, "migrations", `${name}.sql`), "utf8"));
    sqlite?.exec(`INSERT INTO d1_migrations (name) VALUES ('${name}.sql')`);
  }
  return account;
}

const withDeadLetters = (account: FakeAccount): FakeAccount => ({
  ...account,
  queues: new Map([...account.queues, ["ai-events-dead", []]]),
});

describe("npm run deploy with the pinned wrangler", () => {
  it("upgrades a single Worker", async () => {
    const folder = projectFolder();
    const account = oldDeployment();
    await useAccount(account);
    const printed = await deployIn(folder);
    expect(printed).toMatch(/^1\/5 Create the queue ai-events-dead$/m);
    expect(printed).toMatch(/^2\/5 Remove the old consumer ai-edge-interceptor from the queue ai-events$/m);
    account.workers.get(RECORDS)?.secrets.push("ADMIN_TOKEN");
    account.workers.get(GATEWAY)?.secrets.pop();
    expectDeployed(account);
  });

  it("finds nothing on an empty account", async () => {
    const folder = projectFolder();
    await useAccount(emptyAccount());
    expect(await readAccount(runIn(folder), readWorkers(folder, PRODUCTION))).toEqual({
      gatewaySecrets: [],
      recordsSecrets: null,
      recordsBindsGateway: false,
      recordsVersion: null,
      queues: ["ai-events", "ai-events-dead"].map((name) => ({
        name,
        exists: false,
        consumers: [],
        hasPullConsumer: false,
      })),
      databases: [],
    });
  });

  it("bundles both Workers offline with --dry-run", async () => {
    const printed = await deployIn(projectFolder(), { dryRun: true });
    expect(printed.match(/--dry-run: exiting now\./g)).toHaveLength(2);
    expect(printed).toMatch(/^ +env\.RECORDS \(ai-edge-interceptor-records\) +Worker$/m);
    expect(printed).toMatch(/^ +env\.LEDGER \(ai-ledger\) +D1 Database$/m);
  });
});

/** With the class that the gateway binds. */
const deployedRecords = () => deployedWorker([], { newClasses: ["BudgetObject"] });

/** The records Worker is deployed, and the gateway is next. */
const gatewayNext = (): FakeAccount => ({
  ...emptyAccount(),
  workers: new Map([[RECORDS, deployedRecords()]]),
  queues: new Map([["ai-events", []]]),
});

const OBJECT_OF_RECORDS = `
[[durable_objects.bindings]]
name = "NONCES"
class_name = "NonceShard"
script_name = "${RECORDS}"
`;

/** The output of the printed command that begins like this, which must fail. */
async function failureOf(folder: string, title: string, beginning: string): Promise<string> {
  const commands = await printedCommands(folder, title);
  const command = commands.find((one) => one.join(" ").startsWith(beginning)) ?? [];
  const result = await runIn(folder)(command);
  expect(result.ok, `${beginning}\n${outputOf(result)}`).toBe(false);
  return outputOf(result);
}

const DEPLOY_GATEWAY = "deploy -c wrangler.generated.jsonc";
const DEPLOY_RECORDS = "deploy -c wrangler.generated.records.jsonc";

describe("another order is refused, and the advice names the cause", () => {
  it.each<readonly [string, FakeAccount, string, RegExp, string]>([
    [
      "10061 for the gateway before the records Worker, whose budget objects it binds",
      { ...emptyAccount(), queues: new Map([["ai-events", []]]) },
      DEPLOY_GATEWAY,
      /code: 10061/,
      "deploy that Worker first",
    ],
    [
      "10061 for the gateway with a records Worker from before the budget objects",
      { ...gatewayNext(), workers: new Map([[RECORDS, deployedWorker()]]) },
      DEPLOY_GATEWAY,
      /code: 10061/,
      "deploy that Worker first",
    ],
    [
      "11004 for the records Worker while the old consumer is attached",
      withDeadLetters(oldDeployment()),
      DEPLOY_RECORDS,
      /code: 11004/,
      "The queue has another consumer",
    ],
    [
      "11001 for the gateway while it is the queue's consumer",
      {
        ...oldDeployment(),
        workers: new Map([
          [GATEWAY, deployedWorker()],
          [RECORDS, deployedRecords()],
        ]),
      },
      DEPLOY_GATEWAY,
      /code: 11001/,
      "A queue still delivers to this Worker",
    ],
    ["the migrations before the database", emptyAccount(), "d1 migrations", /./, "npx wrangler d1 create"],
    [
      "the records Worker before the queue",
      { ...emptyAccount(), databases: [ledger()] },
      DEPLOY_RECORDS,
      /./,
      "npx wrangler queues create",
    ],
    [
      "10089 for the gateway without Analytics Engine",
      { ...gatewayNext(), hasAnalyticsEngine: false },
      DEPLOY_GATEWAY,
      /code: 10089/,
      "Analytics Engine is not enabled",
    ],
  ])("%s", async (_, account, command, code, advice) => {
    await useAccount(account);
    const failure = await failureOf(projectFolder(), UPGRADE, command);
    expect(failure).toMatch(code);
    expect(adviceFor(failure)).toContain(advice);
  });

  it("10061 for a Durable Object of a Worker that has no such class", async () => {
    await useAccount(gatewayNext());
    const failure = await failureOf(projectFolder(OBJECT_OF_RECORDS), LATER, DEPLOY_GATEWAY);
    expect(failure).toContain("code: 10061");
    expect(adviceFor(failure)).toContain("[[migrations]]");
  });

  // Why the configuration of an environment is generated: routes are inherited, and without a terminal wrangler replaces
  // the script of a custom domain unasked.
  it("wrangler's own --env moves production's custom domain to staging", async () => {
    const folder = projectFolder("\n[env.staging]\n");
    const account = emptyAccount();
    await useAccount(account);
    await runAll(folder, [["deploy"], ["deploy", "--env", "staging"]]);
    expect([...account.domains]).toEqual([[HOST, `${GATEWAY}-staging`]]);
  });
});

describe("an operator's commands for staging", () => {
  it("reach staging's Workers, also where the configuration has environments", async () => {
    const folder = projectFolder("\n[env.staging]\nworkers_dev = true\n");
    const account = emptyAccount();
    const { requests } = await useAccount(account);
    readWorkers(folder, STAGING);
    const run = runIn(folder);
    await run(["secret", "put", "OPENAI_API_KEY", "-c", "wrangler.generated.staging.jsonc"]);
    await run(["secret", "put", "ADMIN_TOKEN", "-c", "wrangler.generated.staging.records.jsonc"]);
    await run(["tail", `${GATEWAY}-staging`]);
    expect(requests.filter((line) => /secrets$|tails$/.test(line))).toEqual([
      `PUT /workers/scripts/${GATEWAY}-staging/secrets`,
      `PUT /workers/scripts/${GATEWAY}-staging/secrets`,
      `PUT /workers/scripts/${RECORDS}-staging/secrets`,
      `PUT /workers/scripts/${RECORDS}-staging/secrets`,
      `POST /workers/scripts/${GATEWAY}-staging/tails`,
    ]);
    const { gateway } = readWorkers(folder, PRODUCTION);
    const result = await run(["secret", "put", "OPENAI_API_KEY", ...gateway.args]);
    expect(outputOf(result)).not.toContain("Multiple environments");
    expect([...account.workers].map(([name, { secrets }]) => [name, secrets])).toEqual([
      [`${GATEWAY}-staging`, ["OPENAI_API_KEY"]],
      [`${RECORDS}-staging`, ["ADMIN_TOKEN"]],
      [GATEWAY, ["OPENAI_API_KEY"]],
    ]);
  });
});
