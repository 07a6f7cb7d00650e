/** The emulated AI provider as a process of its own: `node tools/emulator/main.ts --port 8788`. */
import { parseArgs } from "node:util";
import { faultTable } from "./faults.ts";
import { cloudTable } from "./clouds.ts";
import { KEY_TABLE } from "./keys.ts";
import { quirkTable } from "./quirks.ts";
import { startEmulator } from "./server.ts";

const HELP = `An emulated AI provider: the APIs of OpenAI, Anthropic and Azure OpenAI on one port of 127.0.0.1, for trying things offline.

Usage: node tools/emulator/main.ts [--port 8788] [--event-ms 20] [--slow-ms 1000]

  --port      port to listen on; 0 for any free one
  --event-ms  milliseconds between two events of a stream
  --slow-ms   the same for the model fault-slow

Claude on other clouds, below these paths:

${cloudTable()}

Any model's name is accepted, and any API key but these:

${KEY_TABLE}

Cloudflare AI Gateway is emulated at /v1/{account}/{gateway}/openai (also /compat, /anthropic). Its token is the one of
cf-aig-authorization, rejected like a key; a gateway with the name "cached" has a cache.

These model names trigger a fault:

${faultTable()}

These respond as some real providers do, against the documentation:

${quirkTable()}
`;

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function wholeNumber(name: string, text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : fail(`--${name} must be a whole number, not "${text}".`);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        port: { type: "string", default: "8788" },
        "event-ms": { type: "string", default: "20" },
        "slow-ms": { type: "string", default: "1000" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const values = readArguments();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const port = wholeNumber("port", values.port);
try {
  const { url } = await startEmulator({
    port,
    eventMs: wholeNumber("event-ms", values["event-ms"]),
    slowMs: wholeNumber("slow-ms", values["slow-ms"]),
  });
  process.stdout.write(
    `Emulated AI provider on ${url} (OpenAI: ${url}/v1, Anthropic: ${url}, Azure: ${url}/openai)\n`,
  );
  // Notifies the command that started this process, if there is one.
  process.send?.({ url });
} catch (error) {
  const busy = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  fail(
    busy
      ? `Port ${port} is in use; choose another with --port.`
      : `The emulated provider could not start: ${error}`,
  );
}
