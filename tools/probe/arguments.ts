/** The arguments and environment variables of `npm run probe`. */
import { parseArgs } from "node:util";
import { argumentError } from "../local/start-failure.ts";
import { OPTIONAL, type Optional } from "./deploy-echo.ts";
import { MIN_SECRET_LENGTH } from "./echo/protocol.ts";
import { DEFAULT_PLAN, LONG_PLAN, MAX_REQUESTS, type Plan } from "./plan.ts";
import type { Target } from "./session.ts";

export const USAGE = `Usage: npm run -s probe -- [--local] [--long]
       npm run -s probe -- --url https://ai.your-company.com [--provider probe] [--echo-url https://…] [--long]
       npm run -s probe -- --deploy-echo [--without r2,queue] [--dry-run]
       npm run -s probe -- --remove-echo [--dry-run]

Measures how a deployment behaves where the documentation only assumes it, and prints a report in Markdown to paste into
an issue: at most ${MAX_REQUESTS} requests, within ${DEFAULT_PLAN.maxMs / 60_000} minutes (${LONG_PLAN.maxMs / 60_000} with --long). Requests go to the echo provider of this
project only: the probe stops unless the provider proves that it has the secret. See docs/probe.md.

  --local        starts gateway, records Worker and echo on this machine (the default without --url)
  --url          the gateway's address
  --provider     the gateway's provider whose base_url is the echo's; its type is openai
  --echo-url     the echo's own address: also measures without the gateway
  --long         silences of 130 s and 410 s, and a stream of 25 minutes
  --deploy-echo  deploys the echo with wrangler, with PROBE_SECRET as its secret
  --without      leaves out bindings that the account lacks: r2, queue
  --remove-echo  deletes the echo, its bucket and its queue
  --dry-run      prints the commands; needs no account and changes nothing

Environment variables:
  PROBE_SECRET             the echo's secret, of ${MIN_SECRET_LENGTH} or more of A-Z a-z 0-9 . _ ~ - (openssl rand -hex 32)
  PROBE_CLIENT_KEY         a client key, where the gateway does not accept byok
  INTERCEPTOR_ADMIN_TOKEN  the token of the records API, to read records back

Exit codes: 0 measured; 1 failure; 2 invalid arguments.
`;

export type Command =
  | { readonly verb: "local"; readonly plan: Plan }
  | { readonly verb: "remote"; readonly plan: Plan; readonly target: Target }
  | {
      readonly verb: "deploy";
      readonly secret: string;
      readonly without: readonly Optional[];
      readonly dryRun: boolean;
    }
  | { readonly verb: "remove"; readonly dryRun: boolean };

type Env = Readonly<Record<string, string | undefined>>;
type Values = NonNullable<ReturnType<typeof parse>>;

/** @returns the command; one sentence that says why the arguments are invalid; undefined for `--help`. */
export function readArguments(args: readonly string[], env: Env): Command | string | undefined {
  try {
    const values = parse(args);
    if (values.help) return undefined;
    return exclusive(values) ?? readCommand(values, env);
  } catch (error) {
    return argumentError(error);
  }
}

function exclusive(values: Values): string | null {
  const verbs = (["local", "url", "deploy-echo", "remove-echo"] as const).filter((name) => values[name]);
  if (verbs.length > 1) return `${verbs.map((verb) => `--${verb}`).join(" and ")} exclude each other.`;
  const echo = values["deploy-echo"] || values["remove-echo"];
  if (values["dry-run"] && !echo) return "--dry-run requires --deploy-echo or --remove-echo.";
  if (values.without !== undefined && !values["deploy-echo"]) return "--without requires --deploy-echo.";
  if (values["echo-url"] !== undefined && values.url === undefined) return "--echo-url requires --url.";
  return null;
}

function readCommand(values: Values, env: Env): Command | string {
  const plan = values.long ? LONG_PLAN : DEFAULT_PLAN;
  const dryRun = values["dry-run"];
  if (values["remove-echo"]) return { verb: "remove", dryRun };
  if (!values["deploy-echo"] && values.url === undefined) return { verb: "local", plan };
  const secret = readSecret(env["PROBE_SECRET"] ?? "", dryRun);
  if (secret === null)
    return `PROBE_SECRET must be set to ${MIN_SECRET_LENGTH} or more of A-Z a-z 0-9 . _ ~ - (for example, openssl rand -hex 32).`;
  if (values["deploy-echo"]) {
    const without = (values.without ?? "").split(",").filter((name) => name !== "");
    const unknown = without.find((name) => !(OPTIONAL as readonly string[]).includes(name));
    if (unknown !== undefined) return `--without must be a list of ${OPTIONAL.join(", ")}.`;
    return { verb: "deploy", secret, without: without as Optional[], dryRun };
  }
  return readTarget(values, plan, { ...env, PROBE_SECRET: secret });
}

/** A token68 (RFC 9110 §11.2), because it is sent as a bearer token. */
function readSecret(secret: string, isOptional: boolean): string | null {
  if (isOptional && secret === "") return "";
  return secret.length >= MIN_SECRET_LENGTH && /^[\w.~-]+$/.test(secret) ? secret : null;
}

/** The names that wrangler.toml gives to real providers. */
const REAL_PROVIDERS = new Set(["openai", "anthropic"]);

function readTarget(values: Values, plan: Plan, env: Env): Command | string {
  const gateway = readOrigin(values.url ?? "");
  if (gateway === null) return "--url must be https://… or http://… on this machine, without a path.";
  const echo = values["echo-url"] === undefined ? undefined : readOrigin(values["echo-url"]);
  if (echo === null) return "--echo-url must be https://… or http://… on this machine, without a path.";
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(values.provider)) return "--provider must be a provider's name.";
  if (REAL_PROVIDERS.has(values.provider)) return "--provider must name the echo, not an AI provider.";
  const target: Target = {
    gateway: { url: gateway },
    echo: echo === undefined ? null : { url: echo },
    provider: values.provider,
    secret: env["PROBE_SECRET"] ?? "",
    clientKey: env["PROBE_CLIENT_KEY"] || null,
    adminToken: env["INTERCEPTOR_ADMIN_TOKEN"] || null,
    isLocal: false,
  };
  return { verb: "remote", plan, target };
}

/** Plain HTTP only on this machine: the requests hold secrets. */
function readOrigin(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback);
  return isSafe && url.pathname === "/" && url.search === "" && url.username === "" ? url : null;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      local: { type: "boolean", default: false },
      url: { type: "string" },
      provider: { type: "string", default: "probe" },
      "echo-url": { type: "string" },
      long: { type: "boolean", default: false },
      "deploy-echo": { type: "boolean", default: false },
      "remove-echo": { type: "boolean", default: false },
      without: { type: "string" },
      "dry-run": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }).values;
}
