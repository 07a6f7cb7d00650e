/** `npm start`: both Workers on this machine with an emulated provider (or the real ones); prints each event. */
import { parseArgs } from "node:util";
import { faultTable } from "./emulator/faults.ts";
import { eventLine } from "./local/event-line.ts";
import { portNumber, requireFree } from "./local/ports.ts";
import { chooseLocalSetup, startStack, type Stack } from "./local/stack.ts";
import { sentenceOf, StartFailure } from "./local/start-failure.ts";
import { interruption } from "./local/interruption.ts";
import { whatToTry } from "./local/what-to-try.ts";

const HELP = `Usage: npm start -- [--port 8787] [--provider-port 8788]

Runs the gateway and the records Worker with an emulated AI provider. If .dev.vars has OPENAI_API_KEY or
ANTHROPIC_API_KEY, the gateway calls the real providers with those keys. If it sets PROVIDERS, the gateway calls those. Other
variables of .dev.vars apply too; those of the records Worker are in .dev.vars.records.

These models of the emulated provider cause a fault:

${faultTable()}
`;

type Ports = { readonly port: number; readonly providerPort: number };

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupted = interruption();
  try {
    const ports = readArguments(args);
    if (ports === undefined) {
      process.stdout.write(HELP);
      return 0;
    }
    const stack = await start(ports, interrupted.signal);
    const sentence = await Promise.race([interrupted.happened, stack.broken]);
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

async function start({ port, providerPort }: Ports, signal: AbortSignal): Promise<Stack> {
  const options = {
    port,
    providerPort,
    isolated: false,
    onEvent: (event: Parameters<typeof eventLine>[0]) => print(eventLine(event)),
    onNotice: print,
  };
  const setup = chooseLocalSetup(options);
  await requireFree(port, "--port", "the interceptor");
  if (setup.mode === "emulated") await requireFree(providerPort, "--provider-port", "the emulated provider");
  const stack = await startStack(options, setup, signal);
  print(whatToTry(stack.url, setup));
  return stack;
}

/** Undefined for `--help`. */
function readArguments(args: readonly string[]): Ports | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "8787" },
      "provider-port": { type: "string", default: "8788" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const port = portNumber("--port", values.port);
  const providerPort = portNumber("--provider-port", values["provider-port"]);
  if (port === providerPort) throw new StartFailure("--port and --provider-port must differ.");
  return { port, providerPort };
}
