/** A fake wrangler over a fake account. It prints what the pinned wrangler prints, as far as the deployment reads it. */
import type { WranglerRun } from "../../tools/local/wrangler.ts";

export const GATEWAY = "ai-edge-interceptor";
export const RECORDS = "ai-edge-interceptor-records";

/** The Worker of each configuration. */
const WORKERS: Readonly<Record<string, string>> = {
  "wrangler.toml": GATEWAY,
  "wrangler.generated.toml": GATEWAY,
  "wrangler.records.toml": RECORDS,
};

export type Consumer = { readonly type: "worker" | "http_pull"; readonly script?: string };

export type FakeAccount = {
  /** The secrets of each deployed Worker. */
  readonly workers: Map<string, readonly string[]>;
  readonly queues: Map<string, Consumer[]>;
  readonly databases: readonly { readonly uuid: string; readonly name: string }[];
};

export const LEDGER = { uuid: "0a1b2c3d-0000-4000-8000-0123456789ab", name: "ai-ledger" };

/** An account with an empty database only. */
export const emptyAccount = (): FakeAccount => ({
  workers: new Map(),
  queues: new Map(),
  databases: [LEDGER],
});

/** An account with a deployment from before there were two Workers: one Worker that also consumes the queue. */
export const singleWorkerAccount = (): FakeAccount => ({
  workers: new Map([[GATEWAY, ["ADMIN_TOKEN"]]]),
  queues: new Map([["ai-events", [{ type: "worker", script: GATEWAY }]]]),
  databases: [LEDGER],
});

export type FakeWrangler = {
  readonly run: (args: readonly string[]) => Promise<WranglerRun>;
  /** Every command that ran. */
  readonly commands: string[];
  /** The commands that change the account, without those that failed. */
  readonly changes: string[];
};

/** @param fails Commands that fail before they change anything. */
export function fakeWrangler(
  account: FakeAccount,
  fails: (command: string) => boolean = () => false,
): FakeWrangler {
  const commands: string[] = [];
  const changes: string[] = [];
  const run = async (args: readonly string[]): Promise<WranglerRun> => {
    const command = args.join(" ");
    commands.push(command);
    if (fails(command)) return failed("A request to the Cloudflare API failed.");
    const result = execute(account, args);
    const reads = /^(?:secret list|d1 list|queues consumer list) |--dry-run/.test(command);
    if (!reads && result.ok) changes.push(command);
    return result;
  };
  return { run, commands, changes };
}

const succeeded = (stdout: string): WranglerRun => ({ ok: true, stdout, lines: stdout.split("\n") });
const failed = (error: string): WranglerRun => ({ ok: false, stdout: "", lines: [`✘ [ERROR] ${error}`] });
const json = (value: unknown): WranglerRun => succeeded(JSON.stringify(value, null, 2));

function execute(account: FakeAccount, args: readonly string[]): WranglerRun {
  const worker = WORKERS[args.at(args.indexOf("-c") + 1) ?? ""];
  if (worker === undefined) return failed(`No configuration in ${args.join(" ")}`);
  const [group, verb = ""] = args;
  if (group === "queues") return executeQueues(account, args.slice(1));
  if (group === "secret") {
    const secrets = account.workers.get(worker);
    if (secrets === undefined) return failed(`Worker "${worker}" not found.`);
    return json(secrets.map((name) => ({ name, type: "secret_text" })));
  }
  if (group === "d1")
    return verb === "list" ? json(account.databases) : succeeded("✅ No migrations to apply!");
  if (group !== "deploy") return failed(`Unknown command ${args.join(" ")}`);
  return args.includes("--dry-run") ? succeeded("--dry-run: exiting now.") : executeDeploy(account, worker);
}

function executeQueues({ queues }: FakeAccount, args: readonly string[]): WranglerRun {
  if (args[0] === "create") {
    if (queues.has(String(args[1]))) return failed("Queue name is already taken.");
    queues.set(String(args[1]), []);
    return succeeded(`🌀 Creating queue '${args[1]}'`);
  }
  const [, verb, name = "", script] = args;
  const consumers = queues.get(name);
  if (consumers === undefined) return failed(`Queue "${name}" does not exist.`);
  if (verb === "list") return json(consumers);
  const at = consumers.findIndex((consumer) => consumer.script === script);
  if (at < 0) return failed(`No worker consumer '${script}' exists for queue ${name}`);
  consumers.splice(at, 1);
  return succeeded(`Removed consumer from queue ${name}.`);
}

/** The API's own rules: what a Worker binds must exist, and a queue has one consumer. */
function executeDeploy({ workers, queues }: FakeAccount, worker: string): WranglerRun {
  const consumers = queues.get("ai-events");
  if (consumers === undefined) return failed('Queue "ai-events" does not exist.');
  if (worker === RECORDS) {
    if (consumers.some(({ script }) => script !== RECORDS))
      return failed("Queue consumer already exists. [code: 11004]");
    if (consumers.length === 0) consumers.push({ type: "worker", script: RECORDS });
  } else if (!workers.has(RECORDS)) {
    return failed(
      `Could not resolve service binding 'RECORDS'. Target script '${RECORDS}' not found. [code: 10144]`,
    );
  } else if (consumers.some(({ script }) => script === GATEWAY)) {
    return failed("Queue handler is missing. [code: 11001]");
  }
  workers.set(worker, workers.get(worker) ?? []);
  return succeeded(`Uploaded ${worker}`);
}
