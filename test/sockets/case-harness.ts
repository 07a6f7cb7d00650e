/**
 * The harness for the cases of the test catalogue: a fake provider, the interceptor in front of it, keys for each role,
 * and the invariants that every case checks after each test (`check`):
 *
 * - I1 each `interception_start` has exactly one `interception_end`.
 * - I2 no secret, prompt or rejected value is in a response, a log line or an Analytics Engine point.
 * - I3 the provider receives exactly one credential, the right one, and no header meant for the gateway only.
 * - I4 request and response bodies pass unmodified, unless the gateway refuses the request.
 * - I5 no uncaught exception, unhandled rejection or error line is printed.
 */
import { createHash } from "node:crypto";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { json } from "../support/response-steps.ts";
import {
  startFakeUpstream,
  type PlannedResponse,
  type FakeUpstream,
  type UpstreamRequest,
} from "../support/fake-upstream.ts";
import {
  startInterceptor,
  type InterceptorOptions,
  type RunningInterceptor,
} from "../support/interceptor.ts";
import { openRaw, rawRequest, type RawResponse } from "../support/raw-client.ts";
import type { RawRequest } from "../support/raw-request.ts";
import { concat, fromLatin1, latin1, toBytes, type HeaderPair } from "../support/wire.ts";
import { isRuntimeErrorLine } from "../support/workerd-build.ts";

/** Client keys in the format of `npm run keys`: `aei_` and 43 characters. */
export const KEYS = {
  service: "aei_Vv8sZ1qk0dTgq7Y2mBz5RrWcNn4XxJj6HhLl3PpUu9E",
  permitted: "aei_Qe2wR4tY6uI8oP0aS1dF3gH5jK7lZ9xC2vB4nM6qW8e",
  never: "aei_Mn7bV5cX3zL1kJ9hG8fD6sA4pO2iU0yT7rE5wQ3mN1b",
  user: "aei_Zx1cV3bN5mQ7wE9rT2yU4iO6pA8sD0fG1hJ3kL5zX7c",
} as const;
/** Central keys: provider keys that the gateway holds. */
export const CENTRAL = {
  openai: "sk-proj-Ce7NtRaL4oPeNaI2kEy9mXw6QzTb1Hd8Ys3Gf5Vj0K",
  anthropic: "sk-ant-api03-Ce5NtRaL8aNtHr0PiC3kEy7bWq2Zm9Xd4Fh6Gj1K",
  azure: "c0ffee5a1d3b47e29f60813c5d7ea942",
} as const;
/** Own keys: provider keys that the clients hold. */
export const OWN = {
  openai: "sk-proj-Ow6nKeY2oPeNaI9zQm4Xc8Vb1Nw7Er3Ty5Ui0Op2As",
  anthropic: "sk-ant-api03-Ow3nKeY7aNtHr1Po5Iu9Yt2Re6Wq8Zx4Cv0Bn",
} as const;
export const PROMPT = "prompt canary: the heron flies at dusk over Lake Vatnshlidarvatn";

/** A Coder user. CLIENT_KEYS has the id in upper case, because actor ids are normalized like owner ids. */
export const ALICE = "3d6f0b1e-9a57-4c28-b1f4-5e7a9c2d8f60";
export const SERVICE = "coder-agents";
const ENTRIES = [
  { key: KEYS.service, actor: SERVICE, kind: "service", name: "Service account of Coder Agents" },
  { key: KEYS.permitted, actor: "agents-permitted", kind: "service", assert: true },
  { key: KEYS.never, actor: "never-asserts", kind: "service", assert: false },
  { key: KEYS.user, actor: ALICE.toUpperCase(), kind: "user", name: "Alice" },
];
export const CLIENT_KEYS: string = JSON.stringify(
  ENTRIES.map(({ key, ...entry }) => ({ sha256: sha256(key), ...entry })),
);

export const CODER_AGENTS_UA: HeaderPair = ["User-Agent", "coder-agents/v2.24.0 (linux/amd64)"];
export const bearer = (key: string): HeaderPair => ["Authorization", `Bearer ${key}`];
export const ownerHeader = (value: string): HeaderPair => ["X-Coder-Owner-Id", value];

let ownerCount = 0;
/** A version 4 UUID that no other test uses, so that an id in another test's events is noticed. */
export function newOwner(): string {
  const digits = sha256(`owner ${(ownerCount += 1)}`);
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `a${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join("-");
}

/** A header value after the Worker has decoded its bytes, which it always does as UTF-8. */
export function decodedByWorker(value: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(fromLatin1(value));
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Valid for every intercepted API in the fields that the interceptor reads. */
export const BODY: string = JSON.stringify({
  model: "gpt-4o",
  max_tokens: 16,
  messages: [{ role: "user", content: PROMPT }],
});
/** Likewise. */
const RESPONSE = {
  id: "response-1",
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "At dusk." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 3, input_tokens: 12, output_tokens: 3 },
};

/** One request, its response, and the requests that the provider received meanwhile. */
export type Exchange = {
  readonly request: RawRequest;
  readonly response: RawResponse;
  /** All bytes of the response including status line and headers, as Latin-1. */
  readonly wire: string;
  readonly forwarded: readonly UpstreamRequest[];
  /** The body that the provider sent; `null` if a test does not compare it. */
  readonly upstreamBody: Uint8Array | null;
};

type RecordType = InterceptorEvent["record_type"];
export type EventOf<T extends RecordType> = Extract<InterceptorEvent, { record_type: T }>;

/** Tables replace the defaults key by key. A secret that is `undefined` is absent. */
export type OptionOverrides = {
  readonly providers?: Readonly<Record<string, unknown>>;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string | undefined>>;
  readonly nonces?: InterceptorOptions["nonces"];
};

export type CaseHarness = {
  readonly upstream: FakeUpstream;
  readonly interceptor: RunningInterceptor;
  /** Restarts the interceptor with these overrides of the defaults. */
  configure(changes?: OptionOverrides): Promise<void>;
  /** Before each test. */
  reset(): void;
  /** After each test. */
  check(): Promise<void>;
  close(): Promise<void>;
  send(request: RawRequest): Promise<Exchange>;
  /** Sends all requests in parallel, each on its own connection. Each must reach the provider. */
  sendInParallel(requests: readonly RawRequest[]): Promise<RawResponse[]>;
  /** Plans the provider's later responses. `body` is the body that the client must receive. */
  respondWith(response: PlannedResponse, body: Uint8Array | string | null): void;
  /** The events of a type, once all interceptions so far have ended. */
  events<T extends RecordType>(type: T): Promise<EventOf<T>[]>;
  /** The only event of its type. */
  event<T extends RecordType>(type: T): Promise<EventOf<T>>;
  /** These texts must be in no response, line or point of this test. */
  registerSecret(...texts: readonly string[]): void;
  /** These texts may be in the responses of this test, because the provider itself sends them. */
  allowInResponse(...texts: readonly string[]): void;
  /** The provider may receive these headers in this test. Names are in lower case with `-` for `_`. */
  allowHeader(name: RegExp): void;
  /** Lines that match may be printed in this test in addition to events. */
  expectLine(pattern: RegExp): void;
};

const SECRETS: readonly string[] = [
  ...Object.values(KEYS),
  ...Object.values(CENTRAL),
  ...Object.values(OWN),
  PROMPT,
];

/** The exchanges of one test, and the exceptions that the test has registered. */
class CaseState {
  readonly exchanges: Exchange[] = [];
  readonly secrets = new Set<string>(SECRETS);
  readonly allowedInResponse = new Set<string>();
  readonly allowedHeaders: RegExp[] = [];
  readonly expectedLines: RegExp[] = [];
  upstreamBody: Uint8Array | null = null;
  /** Requests that reached the provider outside an exchange. */
  parallelRequests = 0;
}

/**
 * Four providers: `openai` and `anthropic` have central keys, `own-openai` and `own-anthropic` forward the client's own
 * key. Each has its own base path at the fake provider.
 */
export async function openCaseHarness(
  overrides: (upstreamUrl: string) => OptionOverrides = () => ({}),
): Promise<CaseHarness> {
  const upstream = await startFakeUpstream();
  const interceptor = await startInterceptor(interceptorOptions(upstream, overrides(upstream.url)));
  let state = new CaseState();

  const respondWith: CaseHarness["respondWith"] = (response, body) => {
    upstream.respondWith(response);
    state.upstreamBody = body === null ? null : toBytes(body);
  };
  const send = async (request: RawRequest): Promise<Exchange> => {
    const { upstreamBody } = state;
    return { ...(await sendThrough(interceptor, upstream, request)), upstreamBody };
  };
  const events: CaseHarness["events"] = async <T extends RecordType>(type: T) =>
    (await settledEvents(interceptor)).filter((event): event is EventOf<T> => event.record_type === type);

  const harness: CaseHarness = {
    upstream,
    interceptor,
    configure: (changed) => interceptor.update(interceptorOptions(upstream, changed)),
    reset: () => {
      interceptor.clear();
      upstream.clear();
      state = new CaseState();
      respondWith(json(200, RESPONSE), JSON.stringify(RESPONSE));
    },
    send: async (request) => {
      const exchange = await send(request);
      state.exchanges.push(exchange);
      return exchange;
    },
    sendInParallel: async (requests) => {
      const responses = await Promise.all(requests.map((request) => rawRequest(interceptor.port, request)));
      state.parallelRequests += requests.length;
      return responses;
    },
    respondWith,
    events,
    event: async (type) => only(await events(type)),
    registerSecret: (...texts) => texts.forEach((text) => state.secrets.add(text)),
    allowInResponse: (...texts) => texts.forEach((text) => state.allowedInResponse.add(text)),
    allowHeader: (name) => void state.allowedHeaders.push(name),
    expectLine: (pattern) => void state.expectedLines.push(pattern),
    check: async () => {
      // This request comes after all others, so anything they should not have fetched is recorded before it.
      respondWith(json(200, RESPONSE), null);
      const barrier = await send({ target: "/openai/v1/models", headers: [bearer(KEYS.service)] });
      await checkInvariants({ upstream, interceptor, state, barrier });
    },
    close: async () => {
      await interceptor.close();
      await upstream.close();
    },
  };
  harness.reset();
  return harness;
}

async function sendThrough(
  interceptor: RunningInterceptor,
  upstream: FakeUpstream,
  request: RawRequest,
): Promise<Omit<Exchange, "upstreamBody">> {
  const before = upstream.requests.length;
  const connection = await openRaw(interceptor.port);
  try {
    connection.send(request);
    const response = await connection.readResponse(request.method);
    const wire = latin1(connection.received());
    return { request, response, wire, forwarded: upstream.requests.slice(before) };
  } finally {
    connection.destroy();
  }
}

/** All events, once every start among them has its end. */
async function settledEvents(interceptor: RunningInterceptor): Promise<InterceptorEvent[]> {
  await interceptor.flush();
  if (!allEnded(interceptor.events())) {
    await interceptor.waitForEvents(allEnded);
    await interceptor.flush();
  }
  return interceptor.events();
}

type CheckedCase = {
  readonly upstream: FakeUpstream;
  readonly interceptor: RunningInterceptor;
  readonly state: CaseState;
  readonly barrier: Exchange;
};

/** I1 to I5. */
async function checkInvariants({ upstream, interceptor, state, barrier }: CheckedCase): Promise<void> {
  const { exchanges, secrets, allowedInResponse, allowedHeaders, expectedLines } = state;
  const all = await settledEvents(interceptor);
  const ofExchanges = [...exchanges, barrier].reduce((sum, { forwarded }) => sum + forwarded.length, 0);
  if (upstream.requests.length !== ofExchanges + state.parallelRequests)
    throw new Error("requests reached the provider late");
  checkEnds(all);
  checkPoints(interceptor, all);
  const texts = [
    ...interceptor.lines().map(({ message }) => message),
    ...interceptor.points().map((written) => JSON.stringify(written)),
  ];
  for (const secret of secrets) {
    for (const text of texts) expectNoSecret(text, secret, "a line or point");
    if (allowedInResponse.has(secret)) continue;
    for (const { wire } of exchanges) expectNoSecret(wire, secret, "a response");
  }
  for (const exchange of exchanges) {
    for (const received of exchange.forwarded)
      checkForwarded(received, exchange.request, upstream, allowedHeaders);
    checkBytes(exchange);
  }
  checkLines(interceptor, expectedLines);
}

export function interceptorOptions(
  upstream: { readonly url: string },
  overrides: OptionOverrides = {},
): InterceptorOptions {
  const { providers = {}, vars = {}, secrets = {}, nonces = "absent" } = overrides;
  const at = (base: string) => `${upstream.url}/${base}`;
  // For each actor, since most tests here are about the bytes on the wire.
  const objects = { read: "on", write: "on", delete: "on" };
  const all = {
    OPENAI_KEY: CENTRAL.openai,
    ANTHROPIC_KEY: CENTRAL.anthropic,
    AZURE_KEY: CENTRAL.azure,
    CLIENT_KEYS,
    ...secrets,
  };
  return {
    nonces,
    vars: {
      PROVIDERS: {
        openai: { type: "openai", base_url: at("central-openai/v1"), keys: ["OPENAI_KEY"], objects },
        anthropic: { type: "anthropic", base_url: at("central-anthropic"), keys: ["ANTHROPIC_KEY"], objects },
        azure: { type: "azure", base_url: at("central-azure/openai"), keys: ["AZURE_KEY"], objects },
        "own-openai": { type: "openai", base_url: at("own-openai/v1") },
        "own-anthropic": { type: "anthropic", base_url: at("own-anthropic") },
        ...providers,
      },
      IDENTITY: [{ source: "keys" }, { source: "byok" }],
      ...vars,
    },
    secrets: Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

/** Expects a refusal in the dialect of `/openai/…` or `/anthropic/…`, and no request to the provider. */
export function expectRefusal(
  { response, forwarded }: Exchange,
  status: number,
  reason: string,
  dialect: "openai" | "anthropic" = "openai",
): void {
  expect([response.status, response.values("x-interceptor-error")]).toEqual([status, [reason]]);
  expect(forwarded).toEqual([]);
  const body = JSON.parse(response.text()) as unknown;
  const id = response.values("x-interception-id")[0];
  expect(body).toEqual(
    dialect === "openai"
      ? { error: { message: expect.any(String), type: expect.any(String), param: null, code: reason } }
      : { type: "error", error: { type: expect.any(String), message: expect.any(String) }, request_id: id },
  );
}

/** Expects one forwarded request and the provider's response. */
export function expectForwarded({ response, forwarded }: Exchange, status = 200): UpstreamRequest {
  expect([response.status, response.values("x-interceptor-error"), forwarded.length]).toEqual([
    status,
    [],
    1,
  ]);
  return only(forwarded);
}

function only<T>(items: readonly T[]): T {
  const [first] = items;
  if (first === undefined || items.length > 1) throw new Error(`expected one item, got ${items.length}`);
  return first;
}

/** A linear parser needs a hundredth of this for the tested inputs; a quadratic one needs an hour. */
const HANG_MS = 5_000;

/** Returns `read(value)`. @throws if it hangs. A regular expression blocks the thread; only `vm` can interrupt it. */
export function withoutHanging<T>(read: (value: string) => T, value: string): T {
  return runInNewContext("read(value)", { read, value }, { timeout: HANG_MS }) as T;
}

export const UUID_V7: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function isEnd(event: InterceptorEvent): event is EventOf<"interception_end"> {
  return event.record_type === "interception_end";
}

function allEnded(all: readonly InterceptorEvent[]): boolean {
  const ended = new Set(all.filter(isEnd).map((event) => event.interception_id));
  return all.every((event) => event.record_type !== "interception_start" || ended.has(event.interception_id));
}

/** I1; also, all events of one interception agree on actor, initiator and attribution. */
function checkEnds(all: readonly InterceptorEvent[]): void {
  const idsOf = (type: RecordType) =>
    all.filter((event) => event.record_type === type).map((event) => event.interception_id);
  const starts = idsOf("interception_start").toSorted();
  expect(idsOf("interception_end").toSorted(), "I1 ends for starts").toEqual(starts);
  expect(new Set(starts).size).toBe(starts.length);
  const accounts = new Map<string, string>();
  for (const event of all) {
    if (!("attribution" in event)) continue;
    const account = `${event.actor_id} for ${event.initiator_id} (${event.attribution})`;
    expect(accounts.get(event.interception_id) ?? account).toBe(account);
    accounts.set(event.interception_id, account);
  }
}

/** Analytics Engine has the same events as the log, with the same initiator. */
function checkPoints(interceptor: RunningInterceptor, all: readonly InterceptorEvent[]): void {
  const inPoints = (dataset: string) =>
    interceptor.points(dataset).map(({ point }) => [point.indexes?.[0], point.blobs?.[1], point.blobs?.[2]]);
  const inLog = (...types: RecordType[]) =>
    all
      .filter((event) => types.includes(event.record_type))
      .map((event) => [
        "initiator_id" in event && event.initiator_id,
        event.record_type,
        event.interception_id,
      ]);
  expect(inPoints("INTERCEPTIONS")).toEqual(inLog("interception_end", "passthrough"));
  expect(inPoints("OVERRIDES")).toEqual(inLog("initiator_override", "initiator_override_rejected"));
}

const PIECE_LENGTH = 12;

/** I2, for pieces of a secret too: any 23 characters of it contain one of the aligned pieces of 12. */
function expectNoSecret(text: string, secret: string, where: string): void {
  for (let at = 0; at === 0 || at + PIECE_LENGTH <= secret.length; at += PIECE_LENGTH) {
    const piece = secret.slice(at, at + PIECE_LENGTH);
    if (text.includes(piece))
      expect.fail(`I2 ${where} contains ${JSON.stringify(piece)}: ${text.slice(0, 2000)}`);
  }
}

const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const NEVER_SENT = new Set(
  `connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade
   forwarded true-client-ip cdn-loop cookie expect x-interception-id x-original-url x-rewrite-url`.split(
    /\s+/,
  ),
);

const NEVER_SENT_PREFIX = /^(?:x-coder-|cf-|cloudflare-workers-|x-forwarded-|coder-session-token$)/;

/** An address that is no host's (RFC 5737), in place of the client's. */
const REAL_IP = ["192.0.2.1"];

/** I3. */
function checkForwarded(
  { headers, values, target, method }: UpstreamRequest,
  sent: RawRequest,
  upstream: FakeUpstream,
  allowedHeaders: readonly RegExp[],
): void {
  const violation = (how: string): Error => new Error(`I3 ${method} ${target} ${how}`);
  for (const [name] of headers) {
    const lower = name.toLowerCase();
    const plain = lower.replaceAll("_", "-");
    if (allowedHeaders.some((pattern) => pattern.test(plain))) continue;
    if (NEVER_SENT.has(plain) || NEVER_SENT_PREFIX.test(plain)) throw violation(`has ${name}`);
    if (plain !== lower && [...CREDENTIALS, "x-real-ip"].includes(plain)) throw violation(`has ${name}`);
  }
  expect(values("x-real-ip")).toEqual(REAL_IP);
  expect(values("host")).toEqual([`127.0.0.1:${upstream.port}`]);
  expect(values("transfer-encoding").join() || "chunked").toBe("chunked");
  const credentials = CREDENTIALS.flatMap(values);
  if (credentials.length !== 1) throw violation(`has ${credentials.length} credentials`);
  const hasGovernanceToken =
    sent.headers?.some(([name]) => /^x-coder-ai-(?:governance-token|gateway-key)$/i.test(name)) ?? false;
  const [base] = target.slice(1).split("/");
  if (!hasGovernanceToken && base === "central-openai")
    expect(credentials).toEqual([`Bearer ${CENTRAL.openai}`]);
  if (!hasGovernanceToken && base === "central-azure") expect(credentials).toEqual([CENTRAL.azure]);
  if (!hasGovernanceToken && base === "central-anthropic") expect(credentials).toEqual([CENTRAL.anthropic]);
  const head = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  for (const key of Object.values(KEYS))
    expectNoSecret(`${target}\n${head}`, key, "a request to the provider");
}

/** I4, in both directions. */
function checkBytes({ request, response, forwarded, upstreamBody }: Exchange): void {
  if (forwarded.length === 0) return;
  // Once with each key: only another key of the same provider follows a rejected one.
  const keys = forwarded.map(({ values }) => CREDENTIALS.flatMap(values).join());
  expect(keys).toEqual([...new Set(keys)]);
  const sent = concat((request.chunks ?? [request.body ?? ""]).map(toBytes));
  for (const one of forwarded) expect(one.body()).toEqual(sent);
  if (upstreamBody === null || response.values("x-interceptor-error").length > 0) return;
  expect(response.body).toEqual(request.method === "HEAD" ? new Uint8Array() : upstreamBody);
}

/** I5; also, each event is one line without control characters. */
function checkLines(interceptor: RunningInterceptor, expected: readonly RegExp[]): void {
  for (const { level, message } of interceptor.lines()) {
    if (isRuntimeErrorLine(message)) continue;
    // oxlint-disable-next-line no-control-regex -- the check is for control characters
    expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    if (level === "log" && message.startsWith('{"message":"interception log",')) continue;
    if (!expected.some((pattern) => pattern.test(message))) expect.fail(`I5 printed as ${level}: ${message}`);
  }
}
