/** `npm start`: both Workers on this machine with an emulated provider (or the real ones); prints each event. */
import { parseArgs } from "node:util";
import { checkLocalRun } from "./check-config/project.ts";
import { LOCAL_FILES } from "./deploy/files.ts";
import { localVariables } from "./deploy/project-config.ts";
import { PRODUCTION, readWorkers } from "./deploy/worker-configs.ts";
import { faultTable } from "./emulator/faults.ts";
import { quirkTable } from "./emulator/quirks.ts";
import { startCrons } from "./local/crons.ts";
import { eventLine } from "./local/event-line.ts";
import { portNumber, requireFree } from "./local/ports.ts";
import { chooseLocalSetup, startStack, type Stack } from "./local/stack.ts";
import { sentenceOf, StartFailure } from "./local/start-failure.ts";
import { interruption } from "./local/interruption.ts";
import { describeUndelivered, waitForDelivery } from "./local/undelivered.ts";
import { localVerifierKey } from "./local/verifier-key.ts";
import { whatToTry } from "./local/what-to-try.ts";
import { LOCAL_SEAL_KEY } from "./local-keys.ts";
import { ROOT } from "./root.ts";
import { oldPricesNotice } from "./prices/age.ts";

/** For events that wait for the ledger when the command is interrupted. */
const DRAIN_MS = 10_000;

const HELP = `Usage: npm start -- [--port 8787] [--provider-port 8788] [--allow-host <name>] [--persist-to <folder>]

Runs the gateway and the records Worker with an emulated AI provider. If .dev.vars has OPENAI_API_KEY or
ANTHROPIC_API_KEY, the gateway calls the real providers with those keys. If it sets PROVIDERS, the gateway calls those. Other
variables of .dev.vars apply too; those of the records Worker are in .dev.vars.records.

  --allow-host  a host name that is accepted besides localhost, 127.0.0.1 and [::1]; may be repeated. Requests that name
                another host, or come from a web page of another host, are refused with 403.
  --persist-to  the folder of the local databases; by default .wrangler/state-emulated, and .wrangler/state-real where the
                providers are real

The first Ctrl-C waits until the requests so far are recorded, for ${DRAIN_MS / 1000} s at most. A second one stops at once.

These models of the emulated provider cause a fault:

${faultTable()}

These respond as some real providers do, against the documentation:

${quirkTable()}
`;

type Options = {
  readonly port: number;
  readonly providerPort: number;
  readonly allowedHosts: readonly string[];
  readonly persistTo: string | undefined;
};

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupted = interruption();
  try {
    const chosen = readArguments(args);
    if (chosen === undefined) {
      process.stdout.write(HELP);
      return 0;
    }
    const stack = await start(chosen, interrupted.signal);
    const stopCrons = startCrons(stack.url);
    const sentence = await Promise.race([interrupted.happened, stack.broken]);
    stopCrons();
    if (sentence === undefined) await drain(stack);
    await stack.stop();
    if (sentence === undefined) return 0;
    throw new StartFailure(sentence);
  } catch (error) {
    if (interrupted.signal.aborted) return 0;
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Waits until everything that the gateway has responded to is in the ledger: the queue is lost with the process. */
async function drain({ url, broken }: Stack): Promise<void> {
  const rest = await Promise.race([
    waitForDelivery(url, {
      withinMs: DRAIN_MS,
      onWait: (undelivered) =>
        print(`Recording ${describeUndelivered(undelivered)} … (Ctrl-C again stops at once)`),
    }),
    broken.then(() => null),
  ]);
  if (rest !== null) print(`Not recorded: ${describeUndelivered(rest)}.`);
}

async function start(chosen: Options, signal: AbortSignal): Promise<Stack> {
  const { port, providerPort } = chosen;
  const options = {
    ...chosen,
    isolated: false,
    onEvent: (event: Parameters<typeof eventLine>[0]) => print(eventLine(event)),
    onNotice: print,
  };
  const setup = chooseLocalSetup(options);
  const { problems } = checkLocalRun(ROOT, readWorkers(ROOT, PRODUCTION));
  if (problems.length > 0) throw new StartFailure(problems.join("\n"));
  await requireFree(port, "--port", "the interceptor");
  if (setup.mode === "emulated") await requireFree(providerPort, "--provider-port", "the emulated provider");
  const stack = await startStack(options, setup, signal);
  const sealsWithLocalKey = setup.vars.records["SEAL_KEY"] === LOCAL_SEAL_KEY;
  print(whatToTry(stack.url, setup, sealsWithLocalKey ? await localVerifierKey() : null));
  const oldPrices = oldPricesNotice(Date.now(), process.env);
  if (oldPrices !== null) print(`${oldPrices}\n`);
  const replaced = localVariables(ROOT, "gateway").filter((name) => Object.hasOwn(setup.vars.gateway, name));
  if (replaced.length > 0)
    print(
      `${LOCAL_FILES.gateway} applies, except ${replaced.join(" and ")}: this local run has its own. .dev.vars can set them.\n`,
    );
  return stack;
}

/** Undefined for `--help`. */
function readArguments(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "8787" },
      "provider-port": { type: "string", default: "8788" },
      "allow-host": { type: "string", multiple: true, default: [] },
      "persist-to": { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const port = portNumber("--port", values.port);
  const providerPort = portNumber("--provider-port", values["provider-port"]);
  if (port === providerPort) throw new StartFailure("--port and --provider-port must differ.");
  const allowedHosts = values["allow-host"].map(hostName);
  return { port, providerPort, allowedHosts, persistTo: values["persist-to"] };
}

/** The name in the form that the check compares. Throws a StartFailure where it is more than a name. */
function hostName(text: string): string {
  const url = `http://${text}`;
  const name = URL.canParse(url) ? new URL(url).hostname : "";
  if (name !== "" && name === text.toLowerCase()) return name;
  throw new StartFailure("--allow-host must be a host name without a port, such as host.docker.internal.");
}
