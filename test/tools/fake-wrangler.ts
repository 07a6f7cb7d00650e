/** A fake wrangler over a fake account. It prints what the pinned wrangler prints, as far as the deployment reads it. */
import type { WranglerRun } from "../../tools/local/wrangler.ts";
import { attachConsumer, GATEWAY, ledger, RECORDS, uploadWorker, type FakeAccount } from "./fake-account.ts";

export type FakeWrangler = {
  readonly run: (args: readonly string[]) => Promise<WranglerRun>;
  /** Every command that ran. */
  readonly commands: string[];
  /** The commands that change the account, without those that failed. */
  readonly changes: string[];
};

type Options = {
  /** Commands that fail before they change anything. */
  readonly fails?: (command: string) => boolean;
  /** Whether the records Worker's configuration has a binding to the gateway. */
  readonly bindsGateway?: boolean;
};

/** @param options Commands that fail before they change anything, or more. */
export function fakeWrangler(
  account: FakeAccount,
  options: Options | NonNullable<Options["fails"]> = {},
): FakeWrangler {
  const { fails = () => false, bindsGateway = false } =
    typeof options === "function" ? { fails: options } : options;
  const commands: string[] = [];
  const changes: string[] = [];
  const run = async (args: readonly string[]): Promise<WranglerRun> => {
    const command = args.join(" ");
    commands.push(command);
    if (fails(command)) return failed("A request to the Cloudflare API failed.");
    const result = execute(account, args, bindsGateway);
    const reads =
      /^(?:secret list|d1 list|queues consumer list|deployments status|versions view) |--dry-run/.test(
        command,
      );
    if (!reads && result.ok) changes.push(command);
    return result;
  };
  return { run, commands, changes };
}

const succeeded = (stdout: string): WranglerRun => ({ ok: true, stdout, lines: stdout.split("\n") });
const failed = (error: string): WranglerRun => ({ ok: false, stdout: "", lines: [`✘ [ERROR] ${error}`] });
const json = (value: unknown): WranglerRun => succeeded(JSON.stringify(value, null, 2));

/** The names of an environment end in its name; those of production end in nothing. */
type Selected = {
  readonly isRecords: boolean;
  readonly suffix: string;
  /** Without the records Worker's binding to the gateway. */
  readonly isUnbound: boolean;
};

/** The Worker of a configuration, by the file's name. */
function select(args: readonly string[]): Selected | null {
  const file = args.at(args.indexOf("-c") + 1) ?? "";
  const pattern = /^wrangler\.generated(?:\.(?!records\.)([a-z0-9-]+))?(\.records)?(\.unbound)?\.jsonc$/;
  const found = pattern.exec(file);
  if (found === null) return null;
  const [, environment, records, unbound] = found;
  const suffix = environment === undefined ? "" : `-${environment}`;
  return { isRecords: records !== undefined, suffix, isUnbound: unbound !== undefined };
}

function execute(account: FakeAccount, args: readonly string[], bindsGateway: boolean): WranglerRun {
  const selected = select(args);
  if (selected === null) return failed(`No configuration in ${args.join(" ")}`);
  const worker = (selected.isRecords ? RECORDS : GATEWAY) + selected.suffix;
  const [group, verb = "", name = ""] = args;
  if (group === "queues") return executeQueues(account, args.slice(1));
  if (group === "secret") {
    const deployed = account.workers.get(worker);
    if (deployed === undefined) return failed(`Worker "${worker}" not found.`);
    return json(deployed.secrets.map((secret) => ({ name: secret, type: "secret_text" })));
  }
  if (group === "d1" && verb === "create") {
    account.databases.push(ledger(name, `${account.databases.length}`));
    return succeeded(`✅ Successfully created DB '${name}'`);
  }
  if (group === "d1")
    return verb === "list"
      ? json(account.databases.map(({ uuid, name: database }) => ({ uuid, name: database })))
      : succeeded("✅ No migrations to apply!");
  if (group === "deployments" || group === "versions") return executeVersions(account, worker, name);
  if (group !== "deploy") return failed(`Unknown command ${args.join(" ")}`);
  return args.includes("--dry-run")
    ? succeeded("--dry-run: exiting now.")
    : executeDeploy(account, worker, {
        ...selected,
        isUnbound: selected.isUnbound || !bindsGateway,
      });
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

/** `deployments status` and `versions view <id>`, with `--json`. */
function executeVersions(account: FakeAccount, worker: string, id: string): WranglerRun {
  const deployed = account.workers.get(worker);
  if (deployed === undefined) return failed(`Worker "${worker}" not found.`);
  const version = deployed.versions.find((one) => one.id === id);
  return version === undefined
    ? json({ versions: [{ version_id: deployed.deployed, percentage: 100 }] })
    : json({ id, resources: { bindings: version.bindings } });
}

/** With the bindings that the shipped configurations have. */
function executeDeploy(
  account: FakeAccount,
  worker: string,
  { isRecords, suffix, isUnbound }: Selected,
): WranglerRun {
  const queue = `ai-events${suffix}`;
  const toGateway = { name: "GATEWAY", type: "service", service: GATEWAY + suffix, entrypoint: "OwnRoutes" };
  const bindings = isRecords
    ? isUnbound
      ? []
      : [toGateway]
    : [
        { name: "EVENTS", type: "queue", queue_name: queue },
        { name: "RECORDS", type: "service", service: RECORDS + suffix },
        { name: "INTERCEPTIONS", type: "analytics_engine" },
      ];
  const code =
    uploadWorker(account, worker, {
      bindings,
      handlesQueue: isRecords,
      exports: isRecords ? [] : ["OwnRoutes"],
    }) ?? (isRecords ? attachConsumer(account, queue, worker) : null);
  return code === null
    ? succeeded(`Uploaded ${worker}`)
    : failed(`A request to the Cloudflare API failed.\n\n  Error [code: ${code}]`);
}
