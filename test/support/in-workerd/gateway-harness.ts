/**
 * The gateway's app with a fake provider, a clock that the test sets, fixed randomness and a collecting sink. Every
 * exchange is checked for the promises that hold in all cases (I1 to I3, E10).
 */
import type { OperatorEvent } from "../../../src/shared/operator-log.ts";
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
/** The id of every interception that begins at `T0`: that time and the fixed randomness. */
export const ID = "01a20846-fe00-7abc-8def-0123456789ab";

/** Secrets and a prompt. No event, operator log line, response or other host may contain them. */
export const CANARIES = {
  clientKey: "aei_CANARY-client-key-0123456789",
  ownKey: "sk-CANARY-own-key-0123456789abcdef",
  centralKey: "sk-central-CANARY-0123456789abcdef",
  prompt: "CANARY-prompt",
} as const;

/** Content of a conversation. Records contain it only where `RECORDING` turns it on. */
export const CONTENT = {
  prompt: CANARIES.prompt,
  toolInput: "CANARY-tool-input",
  toolError: "CANARY-tool-error",
  toolResult: "CANARY-tool-result",
  thought: "CANARY-thought",
  errorMessage: "CANARY-error-message",
  responseText: "CANARY-response-text",
} as const;

/** No fake provider repeats the prompt, so a response that contains it would have it from the gateway. */
const PROVIDER_CONTENT = Object.values(CONTENT).filter((content) => content !== CONTENT.prompt);

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
  /** The events of this exchange. */
  readonly events: readonly InterceptorEvent[];
};

export type Setup = {
  /** Variables beside the providers and the client key that every gateway has. */
  readonly vars?: Record<string, unknown>;
  readonly provider?: Provider;
  readonly parts?: Partial<Deps>;
  readonly sinks?: readonly Sink[];
  /** Identity sources instead of the configured ones. */
  readonly sources?: readonly ConfiguredSource[];
  /** The values of `CONTENT` that the records may contain. */
  readonly allowedContent?: readonly string[];
};

export type Gateway = {
  readonly clock: { at: number };
  readonly sent: readonly Sent[];
  readonly events: readonly InterceptorEvent[];
  /** The same events in the groups that the sinks received. */
  readonly groups: readonly (readonly InterceptorEvent[])[];
  readonly operatorErrors: readonly OperatorEvent[];
  /** Sends a request, reads the response to its end and waits for everything that goes on after it. */
  readonly exchange: (path: string, init?: RequestInit) => Promise<Exchange>;
  /** Sends a request and returns at the response's headers; `settled` waits for everything that goes on after them. */
  readonly call: (
    path: string,
    init?: RequestInit,
  ) => Promise<{ response: Response; settled: () => Promise<void> }>;
};

export const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.example/v1" },
  central: {
    type: "openai",
    base_url: "https://central.example/v1",
    keys: ["CENTRAL_KEY"],
    objects: { delete: "on" },
  },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.example" },
  azure: { type: "azure", base_url: "https://company.azure.example/openai" },
};

/** The config of a test gateway with these further variables. */
export async function configOf(
  vars: Record<string, unknown>,
  platform: Platform = registry.platform,
): Promise<Config> {
  const entry = {
    sha256: await sha256Hex(CANARIES.clientKey),
    actor: "ci-bot",
    kind: "service",
    name: "CI bot",
  };
  const config = readConfig(
    {
      PROVIDERS,
      IDENTITY: [{ source: "keys" }, { source: "byok" }],
      CLIENT_KEYS: JSON.stringify([entry]),
      CENTRAL_KEY: CANARIES.centralKey,
      ...vars,
    },
    { ...registry, platform },
  );
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

/** E10: every response has the interception's id. */
const checkId = ({ headers }: Response): void => {
  if (!headers.get("x-interception-id")?.endsWith(ID.slice(14)))
    throw new Error("E10: a response without its interception's id");
};

export async function openGateway({
  vars = {},
  provider,
  parts = {},
  sinks = [],
  sources,
  allowedContent = [],
}: Setup = {}): Promise<Gateway> {
  const clock = { at: T0 };
  const sent: Sent[] = [];
  const events: InterceptorEvent[] = [];
  const groups: (readonly InterceptorEvent[])[] = [];
  const operatorErrors: OperatorEvent[] = [];
  const write = (group: readonly InterceptorEvent[]): void => {
    groups.push(structuredClone(group));
    events.push(...structuredClone(group));
  };
  const collect: Sink = { kind: "immediate", name: "collect", write };

  const platform: Platform = {
    fetch: async (input, init) => {
      const request: Sent = {
        url: String(input),
        method: init?.method ?? "GET",
        headers: new Headers(init?.headers),
        body: await new Response(init?.body as BodyInit | null).bytes(),
        signal: init?.signal ?? new AbortController().signal,
      };
      if (init?.redirect !== "manual") throw new Error("a fetch would follow redirects");
      // No other method is cached, and the option adds two headers to the request.
      const isCached = /^(?:GET|HEAD)$/.test(init.method ?? "GET");
      if ((init.cache === "no-store") !== isCached) throw new Error("a fetch may use a cache");
      sent.push(request);
      checkSent(request);
      if (!provider) throw new Error("an unexpected fetch");
      return provider(request);
    },
    now: () => clock.at,
    logError: (event) => void operatorErrors.push(event),
  };
  const config = await configOf(vars, platform);
  const app = createApp({
    ...createDeps(sources ? { ...config, sources } : config, platform),
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
    return { response, settled: () => within(waitOnExecutionContext(context), "the end of the exchange") };
  };

  const exchange: Gateway["exchange"] = async (path, init) => {
    const before = events.length;
    const { response, settled } = await call(path, init);
    const { bytes, broken } = await within(drain(response.body), "the response's body");
    await settled();
    const recorded = events.slice(before);
    const text = new TextDecoder().decode(bytes);
    checkPairs(recorded);
    checkCanaries(
      [...recorded, ...operatorErrors].map((event) => JSON.stringify(event)),
      allowedContent,
    );
    checkCanaries([text, [...response.headers].join()], PROVIDER_CONTENT);
    return { response, bytes, text, broken, events: recorded };
  };

  return { clock, sent, events, groups, operatorErrors, exchange, call };
}

/** I1: each start of an interception or passthrough has exactly one end, which comes after it. */
export function checkPairs(events: readonly InterceptorEvent[]): void {
  checkPairsOf(events, "interception_start", "interception_end");
  checkPairsOf(events, "passthrough_start", "passthrough");
}

type Type = InterceptorEvent["record_type"];

function checkPairsOf(events: readonly InterceptorEvent[], startType: Type, endType: Type): void {
  const starts = events.filter((event) => event.record_type === startType);
  const ends = events.filter((event) => event.record_type === endType);
  const isPaired =
    starts.length === ends.length &&
    starts.every((start, at) => events.indexOf(start) < events.indexOf(ends[at] ?? start));
  if (!isPaired) throw new Error(`I1: ${starts.length} starts and ${ends.length} ends`);
}

/** I2: the texts contain no secret, and no content but the allowed. */
function checkCanaries(texts: readonly string[], allowed: readonly string[]): void {
  const isLeak = (text: string): boolean =>
    allowed.reduce((rest, content) => rest.replaceAll(content, ""), text).includes("CANARY");
  const leak = texts.find(isLeak);
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

/** The gateway's own, and only to an upstream that is configured as AI Gateway. */
const OF_AI_GATEWAY = /^cf-aig-(?:authorization|metadata)$/;
export const AI_GATEWAY_URL = "https://central.example/ai-gateway";

/** I3: the provider receives one credential, and no header of the client's about Coder, the network or the hop. */
function checkSent({ url, headers }: Sent): void {
  const all = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  if (all.includes(CANARIES.clientKey)) throw new Error(`I3: the client key went to ${url}`);
  if (all.includes(CANARIES.centralKey) && !url.startsWith("https://central.example/"))
    throw new Error(`I3: the central key went to ${url}`);
  const names = [...headers.keys()].filter(
    (name) => !(url.startsWith(`${AI_GATEWAY_URL}/`) && OF_AI_GATEWAY.test(name)),
  );
  const bad = names.filter(
    (name) => /^(?:x-coder-|cf-|x-forwarded-|forwarded$|cookie)/.test(name) || HOP_BY_HOP.has(name),
  );
  if (bad.length > 0) throw new Error(`I3: ${bad.join()} went to ${url}`);
  const credentials = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
  if (credentials.filter((name) => headers.has(name)).length > 1)
    throw new Error("I3: two credentials went upstream");
}

/** A provider that sends no response, because the client disconnects while it is called. */
export const disconnectsBeforeHeaders =
  (client: AbortController): NonNullable<Setup["provider"]> =>
  ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      client.abort();
    });
