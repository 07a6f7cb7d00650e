/**
 * The app with nothing of the world in it: a fake provider, a clock that only moves when told, fixed randomness, and
 * sinks that collect. Every visit is checked for the promises that hold in every case (the catalogue's I1-I3).
 */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { createApp } from "../../../src/gateway/app/app.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { readConfig, type Config } from "../../../src/gateway/config/config.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import type { ConfiguredSource } from "../../../src/gateway/identity/identity.ts";
import { registry, fallbackDialect, createDeps, type Platform } from "../../../src/gateway/wiring.ts";
import { drain } from "./upstream-body.ts";
import { within } from "./waiting.ts";

/** 2026-11-23T12:00:00.000Z. */
export const T0 = Date.UTC(2026, 10, 23, 12);
/** The id of every interception, as long as the clock is not moved before one begins: its time, and the fixed randomness. */
export const ID = "01a20846-fe00-7abc-8def-0123456789ab";

/** What no event, complaint, answer or foreign host may ever hold. */
export const CANARIES = {
  clientKey: "aei_CANARY-client-key-0123456789",
  ownKey: "sk-CANARY-own-key-0123456789abcdef",
  centralKey: "sk-central-CANARY-0123456789abcdef",
  prompt: "CANARY-prompt",
} as const;

/** What was said: in the client's own bytes, and in no record unless it is asked for. */
export const CONTENT = {
  prompt: CANARIES.prompt,
  toolInput: "CANARY-tool-input",
  toolError: "CANARY-tool-error",
  toolResult: "CANARY-tool-result",
  thought: "CANARY-thought",
  errorMessage: "CANARY-error-message",
  responseText: "CANARY-response-text",
} as const;

/** The prompt comes back in no answer of the tests: what holds it would be ours. */
const SAID_BY_PROVIDER = Object.values(CONTENT).filter((said) => said !== CONTENT.prompt);

export type Sent = {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
};

export type Provider = (sent: Sent) => Response | Promise<Response>;

export type Exchange = {
  readonly response: Response;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly broken: boolean;
  /** The events of this visit. */
  readonly events: readonly InterceptorEvent[];
};

export type Setup = {
  /** Beside the two providers and the client key that there always are. */
  readonly vars?: Record<string, unknown>;
  readonly provider?: Provider;
  readonly parts?: Partial<Deps>;
  readonly sinks?: readonly Sink[];
  /** Instead of the configured ones. */
  readonly sources?: readonly ConfiguredSource[];
  /** Of `CONTENT`, what the records of this house may hold. */
  readonly allowedContent?: readonly string[];
};

export type Gateway = {
  readonly clock: { at: number };
  readonly sent: readonly Sent[];
  readonly events: readonly InterceptorEvent[];
  /** The same in the groups in which the sinks got them. */
  readonly groups: readonly (readonly InterceptorEvent[])[];
  readonly operatorErrors: readonly string[];
  /** A whole visit: the answer read to its end, and everything that waits for it done. */
  readonly exchange: (path: string, init?: RequestInit) => Promise<Exchange>;
  /** The answer as soon as there is one; `settled` waits for what goes on behind it. */
  readonly call: (
    path: string,
    init?: RequestInit,
  ) => Promise<{ response: Response; settled: () => Promise<void> }>;
};

export const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.example/v1" },
  central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.example" },
};

/** The config of a house; of the world at large where there is no other. */
export async function configOf(
  vars: Record<string, unknown>,
  world: Platform = registry.platform,
): Promise<Config> {
  const entry = {
    sha256: await sha256Hex(CANARIES.clientKey),
    actor: "ci-bot",
    kind: "service",
    name: "CI bot",
  };
  const read = readConfig(
    {
      PROVIDERS,
      IDENTITY: [{ source: "keys" }, { source: "byok" }],
      CLIENT_KEYS: JSON.stringify([entry]),
      CENTRAL_KEY: CANARIES.centralKey,
      ...vars,
    },
    { ...registry, platform: world },
  );
  if ("issues" in read) throw new Error(read.issues.join("\n"));
  return read;
}

/** E10: the interception's id is on everything. */
const checkId = ({ headers }: Response): void => {
  if (!headers.get("x-interception-id")?.endsWith(ID.slice(14)))
    throw new Error("E10: an answer without its interception's id");
};

/** An app in a house of its own. */
export async function openGateway({
  vars = {},
  provider,
  parts = {},
  sinks = [],
  sources,
  allowedContent: mayTell = [],
}: Setup = {}): Promise<Gateway> {
  const clock = { at: T0 };
  const sent: Sent[] = [];
  const events: InterceptorEvent[] = [];
  const groups: (readonly InterceptorEvent[])[] = [];
  const complaints: string[] = [];
  const write = (group: readonly InterceptorEvent[]): void => {
    groups.push(structuredClone(group));
    events.push(...structuredClone(group));
  };
  const collect: Sink = { name: "collect", required: false, write };

  const world: Platform = {
    fetch: async (input, init) => {
      const one: Sent = {
        url: String(input),
        method: init?.method ?? "GET",
        headers: new Headers(init?.headers),
        body: await new Response(init?.body as BodyInit | null).bytes(),
        signal: init?.signal ?? new AbortController().signal,
      };
      if (init?.redirect !== "manual") throw new Error("no fetch follows a redirect");
      sent.push(one);
      checkSent(one);
      if (!provider) throw new Error("no fetch was expected");
      return provider(one);
    },
    now: () => clock.at,
    logError: (line) => void complaints.push(line),
  };
  const read = await configOf(vars, world);
  const app = createApp({
    ...createDeps(sources ? { ...read, sources } : read, world),
    fallbackDialect,
    sinks: [...sinks, collect],
    randomUuid: () => "01234567-89ab-4abc-8def-0123456789ab",
    ...parts,
  });

  const call: Gateway["call"] = async (path, init = {}) => {
    const context = createExecutionContext();
    const request = new Request(`https://gateway.example${path}`, init as never);
    const response = await app.fetch(request as never, {}, context);
    checkId(response);
    return { response, settled: () => within(waitOnExecutionContext(context), "the visit's end") };
  };

  const visit: Gateway["exchange"] = async (path, init) => {
    const before = events.length;
    const { response, settled } = await call(path, init);
    const { bytes, broken } = await within(drain(response.body), "the client's bytes");
    await settled();
    const own = events.slice(before);
    const text = new TextDecoder().decode(bytes);
    checkPairs(own);
    checkCanaries([...own.map((event) => JSON.stringify(event)), ...complaints], mayTell);
    checkCanaries([text, [...response.headers].join()], SAID_BY_PROVIDER);
    return { response, bytes, text, broken, events: own };
  };

  return { clock, sent, events, groups, operatorErrors: complaints, exchange: visit, call };
}

/** I1: each `interception_start` has exactly one `interception_end`, which comes after it. */
export function checkPairs(events: readonly InterceptorEvent[]): void {
  const starts = events.filter((event) => event.record_type === "interception_start");
  const ends = events.filter((event) => event.record_type === "interception_end");
  const isPaired =
    starts.length === ends.length &&
    starts.every((start, at) => events.indexOf(start) < events.indexOf(ends[at] ?? start));
  if (!isPaired) throw new Error(`I1: ${starts.length} starts and ${ends.length} ends`);
}

/** I2: no secret, and of what was said only what may be told. */
function checkCanaries(texts: readonly string[], mayTell: readonly string[]): void {
  const isTold = (text: string): boolean =>
    mayTell.reduce((rest, said) => rest.replaceAll(said, ""), text).includes("CANARY");
  const leak = texts.find(isTold);
  if (leak !== undefined) throw new Error(`I2: a canary in ${leak}`);
}

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authorization",
]);

/** I3: the provider sees one credential, and nothing that the caller set about Coder, the network or the hop. */
function checkSent({ url, headers }: Sent): void {
  const all = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  if (all.includes(CANARIES.clientKey)) throw new Error(`I3: the client key went to ${url}`);
  if (all.includes(CANARIES.centralKey) && !url.startsWith("https://central.example/"))
    throw new Error(`I3: the central key went to ${url}`);
  const bad = [...headers.keys()].filter(
    (name) => /^(?:x-coder-|cf-|x-forwarded-|forwarded$|cookie)/.test(name) || HOP_BY_HOP.has(name),
  );
  if (bad.length > 0) throw new Error(`I3: ${bad.join()} went to ${url}`);
  if (headers.has("authorization") && headers.has("x-api-key"))
    throw new Error("I3: two credentials went upstream");
}
