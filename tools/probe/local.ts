/** Gateway, records Worker and echo on this machine: three Workers in two `wrangler dev`. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { sha256 } from "../client-key.ts";
import { LOCAL_ADMIN_TOKEN } from "../local-keys.ts";
import type { Child } from "../local/child.ts";
import type { Setup } from "../local/dev-vars.ts";
import { writeEnvFile } from "../local/env-file.ts";
import { twoFreePorts } from "../local/ports.ts";
import { startStack } from "../local/stack.ts";
import { startWorkers, waitUntilHealthy } from "../local/wrangler.ts";
import { ECHO_CONFIG } from "./deploy-echo.ts";
import type { Target } from "./session.ts";

export type LocalTarget = {
  readonly target: Target;
  readonly stop: () => Promise<void>;
  /** Resolves with one sentence when a part of it ends unexpectedly. */
  readonly broken: Promise<string>;
};

const PROVIDER = "probe";

export async function startLocal(
  signal: AbortSignal,
  onNotice: (line: string) => void,
): Promise<LocalTarget> {
  const [port, echoPort] = await twoFreePorts();
  const secret = randomBytes(32).toString("hex");
  const echo = await startEcho(echoPort, secret, signal, onNotice);
  try {
    const echoUrl = `http://127.0.0.1:${echoPort}`;
    const options = { port, providerPort: echoPort, isolated: true, onEvent: () => undefined, onNotice };
    const stack = await startStack(options, setupFor(echoUrl), signal);
    return {
      target: {
        gateway: { url: new URL(stack.url) },
        echo: { url: new URL(echoUrl) },
        provider: PROVIDER,
        secret,
        clientKey: null,
        adminToken: LOCAL_ADMIN_TOKEN,
        isLocal: true,
      },
      broken: Promise.race([stack.broken, echo.broken]),
      stop: async () => void (await Promise.all([stack.stop(), echo.stop()])),
    };
  } catch (error) {
    await echo.stop();
    throw error;
  }
}

/** The echo as the gateway's only provider, with the client's own key: the echo's secret. */
function setupFor(echoUrl: string): Setup {
  const providers = { [PROVIDER]: { type: "openai", base_url: `${echoUrl}/v1` } };
  const gateway = {
    PROVIDERS: JSON.stringify(providers),
    IDENTITY: JSON.stringify([{ source: "byok" }]),
    OWNER_ASSERTION: "{}",
    RECORDING: "{}",
    LIMITS: "{}",
  };
  const records = { ADMIN_TOKEN: sha256(LOCAL_ADMIN_TOKEN), RETENTION_DAYS: "45", RETENTION: "{}" };
  return {
    mode: "own",
    vars: { gateway, records },
    providers,
    ownClientKeys: false,
    accepts: { keys: false, byok: true },
  };
}

type LocalEcho = { readonly broken: Promise<string>; readonly stop: () => Promise<void> };

async function startEcho(
  port: number,
  secret: string,
  signal: AbortSignal,
  onNotice: (line: string) => void,
): Promise<LocalEcho> {
  const envFile = writeEnvFile({ ECHO_SECRET: secret });
  const child: Child = startWorkers({
    port,
    configs: [ECHO_CONFIG],
    envFiles: [envFile.path],
    persistTo: join(envFile.folder, "state"),
    onEvent: () => undefined,
    onNotice,
  });
  const stop = async (): Promise<void> => {
    await child.end();
    envFile.remove();
  };
  const broken = child.ended.then((how) => `The echo ended unexpectedly (${how}).`);
  try {
    const ended = broken.then((sentence) => Promise.reject(new Error(sentence)));
    await Promise.race([waitUntilHealthy(`http://127.0.0.1:${port}`, signal), ended]);
    ended.catch(() => undefined);
    return { broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
