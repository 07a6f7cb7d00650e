/**
 * The stage for the catalogue's cases: a fake provider, the interceptor before it, the cast of keys, and the checks
 * that hold in every case (`check`, after each test):
 *
 * - I1 each `interception_start` has exactly one `interception_end`.
 * - I2 no secret, prompt or refused value is in an answer, a log line or an Analytics Engine point.
 * - I3 the provider sees one credential, the right one, and no header that was the caller's own business.
 * - I4 the client's bytes are the provider's, and the provider's are the client's, unless we refuse.
 * - I5 no uncaught exception, unhandled rejection or complaint is printed.
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
import { isOwnComplaint } from "../support/workerd-build.ts";

/** Client keys as `npm run keys` mints them: `aei_` and 43 characters. */
export const KEYS = {
  service: "aei_Vv8sZ1qk0dTgq7Y2mBz5RrWcNn4XxJj6HhLl3PpUu9E",
  permitted: "aei_Qe2wR4tY6uI8oP0aS1dF3gH5jK7lZ9xC2vB4nM6qW8e",
  never: "aei_Mn7bV5cX3zL1kJ9hG8fD6sA4pO2iU0yT7rE5wQ3mN1b",
  user: "aei_Zx1cV3bN5mQ7wE9rT2yU4iO6pA8sD0fG1hJ3kL5zX7c",
} as const;
/** The gateway's own provider keys, and the clients' own ones. */
export const CENTRAL = {
  openai: "sk-proj-Ce7NtRaL4oPeNaI2kEy9mXw6QzTb1Hd8Ys3Gf5Vj0K",
  anthropic: "sk-ant-api03-Ce5NtRaL8aNtHr0PiC3kEy7bWq2Zm9Xd4Fh6Gj1K",
} as const;
export const OWN = {
  openai: "sk-proj-Ow6nKeY2oPeNaI9zQm4Xc8Vb1Nw7Er3Ty5Ui0Op2As",
  anthropic: "sk-ant-api03-Ow3nKeY7aNtHr1Po5Iu9Yt2Re6Wq8Zx4Cv0Bn",
} as const;
export const PROMPT = "prompt canary: the heron flies at dusk over Lake Vatnshlidarvatn";

/** A Coder user, given to CLIENT_KEYS in upper case: an actor's id has the one form that owners have. */
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

/** Ids of version 4 that no other test has: what a test sends must not turn up in another's events. */
let owners = 0;
export function newOwner(): string {
  const digits = sha256(`owner ${(owners += 1)}`);
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `a${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join("-");
}

/** How the Worker reads a header's bytes, and writes them again: as UTF-8, whatever they are. */
export function decodedByWorker(value: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(fromLatin1(value));
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Fits every intercepted API, as far as the interceptor reads it. */
export const BODY: string = JSON.stringify({
  model: "gpt-4o",
  max_tokens: 16,
  messages: [{ role: "user", content: PROMPT }],
});
/** Likewise. */
const ANSWER = {
  id: "answer-1",
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "At dusk." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 3, input_tokens: 12, output_tokens: 3 },
};

/** One request, its answer, and what the provider saw of it. */
export type Exchange = {
  readonly request: RawRequest;
  readonly response: RawResponse;
  /** All bytes of the answer as they came, status line and headers included, as Latin-1. */
  readonly wire: string;
  readonly forwarded: readonly UpstreamRequest[];
  /** The provider's body; null where a test gives an answer whose body is not to be compared. */
  readonly upstreamBody: Uint8Array | null;
};

type RecordType = InterceptorEvent["record_type"];
export type EventOf<T extends RecordType> = Extract<InterceptorEvent, { record_type: T }>;

/** Tables replace the defaults key by key; a secret that is `undefined` is absent. */
export type OptionOverrides = {
  readonly providers?: Readonly<Record<string, unknown>>;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string | undefined>>;
  readonly nonces?: InterceptorOptions["nonces"];
};

export type CaseHarness = {
  readonly upstream: FakeUpstream;
  readonly interceptor: RunningInterceptor;
  /** Restarts with these changes to the defaults. */
  configure(changes?: OptionOverrides): Promise<void>;
  /** Before each test. */
  reset(): void;
  /** After each test. */
  check(): Promise<void>;
  close(): Promise<void>;
  send(request: RawRequest): Promise<Exchange>;
  /** All of them in parallel, each on a connection of its own; every one is to reach the provider. */
  sendInParallel(requests: readonly RawRequest[]): Promise<RawResponse[]>;
  /** What the provider answers from now on; `body` is what the client is to get of it. */
  respondWith(response: PlannedResponse, body: Uint8Array | string | null): void;
  /** The events of a type, all interceptions so far having ended. */
  events<T extends RecordType>(type: T): Promise<EventOf<T>[]>;
  /** The only event of its type. */
  event<T extends RecordType>(type: T): Promise<EventOf<T>>;
  /** Must be in no answer, line or point of this test. */
  registerSecret(...texts: readonly string[]): void;
  /** May be in the answers of this test: the provider itself told it. */
  allowInResponse(...texts: readonly string[]): void;
  /** Headers that the provider may see in this test: lower case, `-` for `_`. */
  allowHeader(name: RegExp): void;
  /** May be printed in this test besides events. */
  expectLine(pattern: RegExp): void;
};

const SECRETS: readonly string[] = [
  ...Object.values(KEYS),
  ...Object.values(CENTRAL),
  ...Object.values(OWN),
  PROMPT,
];

/**
 * Four providers: `openai` and `anthropic` have central keys, `own-openai` and `own-anthropic` take the client's own.
 * Each has a base path of its own at the fake provider.
 */
export async function openCaseHarness(
  changes: (upstreamUrl: string) => OptionOverrides = () => ({}),
): Promise<CaseHarness> {
  const upstream = await startFakeUpstream();
  const interceptor = await startInterceptor(interceptorOptions(upstream, changes(upstream.url)));
  const exchanges: Exchange[] = [];
  const secrets = new Set<string>();
  const disclosed = new Set<string>();
  const permitted: RegExp[] = [];
  const expectedLines: RegExp[] = [];
  let provided: Uint8Array | null = null;

  const respondWith: CaseHarness["respondWith"] = (response, body) => {
    upstream.respondWith(response);
    provided = body === null ? null : toBytes(body);
  };
  const send = async (request: RawRequest): Promise<Exchange> => {
    const before = upstream.requests.length;
    const connection = await openRaw(interceptor.port);
    try {
      connection.send(request);
      const response = await connection.readResponse(request.method);
      const wire = latin1(connection.received());
      return {
        request: request,
        response,
        wire,
        forwarded: upstream.requests.slice(before),
        upstreamBody: provided,
      };
    } finally {
      connection.destroy();
    }
  };
  /** Requests that reached the provider outside an exchange. */
  let atOnce = 0;
  /** The events, once all there are have been read and every start among them has its end. */
  const settle = async (): Promise<InterceptorEvent[]> => {
    await interceptor.flush();
    if (!allEnded(interceptor.events())) {
      await interceptor.waitForEvents(allEnded);
      await interceptor.flush();
    }
    return interceptor.events();
  };
  const events: CaseHarness["events"] = async <T extends RecordType>(type: T) =>
    (await settle()).filter((event): event is EventOf<T> => event.record_type === type);

  const harness: CaseHarness = {
    upstream,
    interceptor,
    configure: (changed) => interceptor.update(interceptorOptions(upstream, changed)),
    reset: () => {
      interceptor.clear();
      upstream.clear();
      exchanges.length = 0;
      atOnce = 0;
      permitted.length = 0;
      expectedLines.length = 0;
      disclosed.clear();
      secrets.clear();
      for (const secret of SECRETS) secrets.add(secret);
      respondWith(json(200, ANSWER), JSON.stringify(ANSWER));
    },
    send: async (request) => {
      const exchange = await send(request);
      exchanges.push(exchange);
      return exchange;
    },
    sendInParallel: async (requests) => {
      const responses = await Promise.all(requests.map((request) => rawRequest(interceptor.port, request)));
      atOnce += requests.length;
      return responses;
    },
    respondWith,
    events,
    event: async (type) => only(await events(type)),
    registerSecret: (...texts) => texts.forEach((text) => secrets.add(text)),
    allowInResponse: (...texts) => texts.forEach((text) => disclosed.add(text)),
    allowHeader: (name) => void permitted.push(name),
    expectLine: (pattern) => void expectedLines.push(pattern),
    check: async () => {
      // A request that follows all others: what they should not have fetched would be there before it.
      respondWith(json(200, ANSWER), null);
      const barrier = await send({ target: "/openai/v1/models", headers: [bearer(KEYS.service)] });
      const all = await settle();
      const accounted = exchanges.reduce(
        (sum, { forwarded }) => sum + forwarded.length,
        barrier.forwarded.length + atOnce,
      );
      if (upstream.requests.length !== accounted) throw new Error("requests reached the provider late");
      checkEnds(all);
      checkPoints(interceptor, all);
      const texts = [
        ...interceptor.lines().map(({ message }) => message),
        ...interceptor.points().map((written) => JSON.stringify(written)),
      ];
      for (const secret of secrets) {
        for (const text of texts) expectUntold(text, secret, "a line or point");
        if (disclosed.has(secret)) continue;
        for (const { wire } of exchanges) expectUntold(wire, secret, "an answer");
      }
      for (const exchange of exchanges) {
        for (const request of exchange.forwarded) checkSeen(request, exchange.request, upstream, permitted);
        checkBytes(exchange);
      }
      checkLines(interceptor, expectedLines);
    },
    close: async () => {
      await interceptor.close();
      await upstream.close();
    },
  };
  harness.reset();
  return harness;
}

export function interceptorOptions(
  upstream: { readonly url: string },
  changes: OptionOverrides = {},
): InterceptorOptions {
  const { providers = {}, vars = {}, secrets = {}, nonces = "absent" } = changes;
  const at = (base: string) => `${upstream.url}/${base}`;
  const all = {
    OPENAI_KEY: CENTRAL.openai,
    ANTHROPIC_KEY: CENTRAL.anthropic,
    CLIENT_KEYS,
    ...secrets,
  };
  return {
    nonces,
    vars: {
      PROVIDERS: {
        openai: { type: "openai", base_url: at("central-openai/v1"), keys: ["OPENAI_KEY"] },
        anthropic: { type: "anthropic", base_url: at("central-anthropic"), keys: ["ANTHROPIC_KEY"] },
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

/** A refusal in the dialect of `/openai/…` or `/anthropic/…`, nothing fetched. */
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

/** Forwarded once, and the provider's answer came back. */
export function expectForwarded({ response, forwarded }: Exchange, status = 200): UpstreamRequest {
  expect([response.status, response.values("x-interceptor-error"), forwarded.length]).toEqual([
    status,
    [],
    1,
  ]);
  return only(forwarded);
}

function only<T>(found: readonly T[]): T {
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} where one was expected`);
  return first;
}

/** For what takes a hundredth of it when time grows with the length, and an hour when it grows with its square. */
const HANGS_MS = 5_000;

/** What `read` gives for `value`; fails where it hangs on it. A pattern at work holds the thread: only the engine can interrupt it. */
export function withoutHanging<T>(read: (value: string) => T, value: string): T {
  return runInNewContext("read(value)", { read, value }, { timeout: HANGS_MS }) as T;
}

export const UUID_V7: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function isEnd(event: InterceptorEvent): event is EventOf<"interception_end"> {
  return event.record_type === "interception_end";
}

function allEnded(all: readonly InterceptorEvent[]): boolean {
  const ended = new Set(all.filter(isEnd).map((event) => event.interception_id));
  return all.every((event) => event.record_type !== "interception_start" || ended.has(event.interception_id));
}

/** I1, and that all events of one interception agree on whose account it was. */
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

/** The Analytics Engine has what the log has, under the same initiator. */
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

const RUN = 12;

/** I2: neither the whole secret nor a piece of it. A run of 23 characters holds one of the aligned dozens. */
function expectUntold(text: string, secret: string, where: string): void {
  for (let at = 0; at === 0 || at + RUN <= secret.length; at += RUN) {
    const piece = secret.slice(at, at + RUN);
    if (text.includes(piece))
      expect.fail(`I2 ${where} tells ${JSON.stringify(piece)}: ${text.slice(0, 2000)}`);
  }
}

const CREDENTIALS = ["authorization", "x-api-key", "api-key"];
const NEVER_SENT = new Set(
  `connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade
   forwarded x-real-ip true-client-ip cdn-loop cookie expect x-interception-id x-original-url x-rewrite-url`.split(
    /\s+/,
  ),
);

const NEVER_SENT_PREFIX = /^(?:x-coder-|cf-|x-forwarded-|coder-session-token$)/;

/** I3. */
function checkSeen(
  { headers, values, target, method }: UpstreamRequest,
  sent: RawRequest,
  upstream: FakeUpstream,
  permitted: readonly RegExp[],
): void {
  const broken = (how: string): Error => new Error(`I3 ${method} ${target} ${how}`);
  for (const [name] of headers) {
    const lower = name.toLowerCase();
    const plain = lower.replaceAll("_", "-");
    if (permitted.some((pattern) => pattern.test(plain))) continue;
    if (NEVER_SENT.has(plain) || NEVER_SENT_PREFIX.test(plain)) throw broken(`has ${name}`);
    if (plain !== lower && CREDENTIALS.includes(plain)) throw broken(`has ${name}`);
  }
  expect(values("host")).toEqual([`127.0.0.1:${upstream.port}`]);
  expect(values("transfer-encoding").join() || "chunked").toBe("chunked");
  const credentials = CREDENTIALS.flatMap(values);
  if (credentials.length !== 1) throw broken(`has ${credentials.length} credentials`);
  const governed =
    sent.headers?.some(([name]) => /^x-coder-ai-(?:governance-token|gateway-key)$/i.test(name)) ?? false;
  const [base] = target.slice(1).split("/");
  if (!governed && base === "central-openai") expect(credentials).toEqual([`Bearer ${CENTRAL.openai}`]);
  if (!governed && base === "central-anthropic") expect(credentials).toEqual([CENTRAL.anthropic]);
  const head = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  for (const key of Object.values(KEYS)) expectUntold(`${target}\n${head}`, key, "a request to the provider");
}

/** I4: both directions. */
function checkBytes({ request, response, forwarded, upstreamBody }: Exchange): void {
  const [upstreamRequest] = forwarded;
  if (!upstreamRequest) return;
  expect(forwarded).toHaveLength(1);
  expect(upstreamRequest.body()).toEqual(concat((request.chunks ?? [request.body ?? ""]).map(toBytes)));
  if (upstreamBody === null || response.values("x-interceptor-error").length > 0) return;
  expect(response.body).toEqual(request.method === "HEAD" ? new Uint8Array() : upstreamBody);
}

/** I5, and that each event is one line of safe characters. */
function checkLines(interceptor: RunningInterceptor, expected: readonly RegExp[]): void {
  for (const { level, message } of interceptor.lines()) {
    if (isOwnComplaint(message)) continue;
    // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
    expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    if (level === "log" && message.startsWith('{"message":"interception log",')) continue;
    if (!expected.some((pattern) => pattern.test(message))) expect.fail(`I5 printed as ${level}: ${message}`);
  }
}
