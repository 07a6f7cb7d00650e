/**
 * Shared by `sdk`, `bodies`, `streams`, `sinks` and others: an interceptor in front of a provider, calls to it by a raw
 * client, and the invariants I1, I2 and I5. They are checked after each test over the interceptor's whole output.
 */
import { toLedgerEvents } from "../../src/events/ledger-events.ts";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect } from "vitest";
import type {
  InterceptionEnd,
  InterceptionStart,
  InterceptorEvent,
  TokenUsage,
} from "../../src/events/event.ts";
import { productionBundle, type Bundle } from "../support/bundle.ts";
import {
  startInterceptor,
  type InterceptorOptions,
  type RunningInterceptor,
} from "../support/interceptor.ts";
import { openRaw, type RawConnection } from "../support/raw-client.ts";
import { fromLatin1, headerValues, latin1, type HeaderPair } from "../support/wire.ts";
import { isRuntimeErrorLine } from "../support/workerd-build.ts";

/** Canaries: no output of the interceptor and no response to a client may contain one. */
export const OWN_KEY = "sk-own-canary-5e1f0a7c9b3d2e64";
export const CENTRAL_KEY = "sk-proj-canary-d1c2b3a4f5e69788";
export const CLIENT_KEY = "aei_canary_0f1e2d3c4b5a69788796";
export const PROMPT = "canary prompt: where did the grey heron go?";
const SECRETS = [OWN_KEY, CENTRAL_KEY, CLIENT_KEY];

export type Limits = {
  readonly headers_ms?: number;
  readonly idle_ms?: number;
  readonly body_bytes?: number;
  readonly upload_bytes?: number;
  readonly bodies_bytes?: number;
  readonly body_ms?: number;
  readonly body_min_rate?: number;
  readonly observe_bytes?: number;
};

/** `openai` and `anthropic` are called with the client's own key, `…-central` with the central key. */
export function interceptorOptions(
  upstreamUrl: string,
  limits: Limits = {},
  more: Readonly<Record<string, object>> = {},
): InterceptorOptions {
  const keys = ["CENTRAL_KEY"];
  const openai = { type: "openai", base_url: `${upstreamUrl}/v1` };
  const anthropic = { type: "anthropic", base_url: upstreamUrl };
  const PROVIDERS = {
    openai,
    anthropic,
    "openai-central": { ...openai, keys, objects: { read: "on", write: "on", delete: "on" } },
    "anthropic-central": { ...anthropic, keys },
    ...more,
  };
  const sha256 = createHash("sha256").update(CLIENT_KEY).digest("hex");
  return {
    vars: { PROVIDERS, IDENTITY: [{ source: "keys" }, { source: "byok" }], LIMITS: limits },
    secrets: { CENTRAL_KEY, CLIENT_KEYS: JSON.stringify([{ sha256, actor: "tester", kind: "user" }]) },
  };
}

export type Recorded = {
  readonly start: InterceptionStart;
  readonly usage: TokenUsage | null;
  readonly end: InterceptionEnd;
};

export type CheckedInterceptor = RunningInterceptor & {
  /** The events of one interception, found by id or requested model, as soon as it has ended. */
  recorded(key: string): Promise<Recorded>;
  /** Lines that match may be printed in this test in addition to events. */
  expectLine(pattern: RegExp): void;
};

/** Starts an interceptor for one test file. It is checked after each test and closed after the last. */
export async function startCheckedInterceptor(options: InterceptorOptions): Promise<CheckedInterceptor> {
  const directory = await mkdtemp(join(tmpdir(), "checked-"));
  // By default, every case also checks the events in the queue to the ledger.
  const running = await startInterceptor(
    { queue: "taking", ...options },
    await instrumentedBundle(directory),
  );
  const pairing = new PairingCheck();
  let expected: RegExp[] = [];
  afterEach(async ({ task }) => {
    try {
      // A failed test is not checked: its unfinished interceptions would cost a timeout and hide the cause.
      if (task.result?.state !== "fail") await check(running, pairing, expected, options.queue ?? "taking");
    } finally {
      pairing.endTest(running.events());
      expected = [];
      running.clear();
    }
  });
  afterAll(async () => {
    await running.close();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    ...running,
    recorded: (key) => recorded(running, key),
    expectLine: (pattern) => void expected.push(pattern),
  };
}

async function recorded(running: RunningInterceptor, key: string): Promise<Recorded> {
  const matches = (event: InterceptorEvent): event is InterceptionEnd =>
    event.record_type === "interception_end" && (event.interception_id === key || event.model === key);
  const events = await running.waitForEvents((all) => all.some(matches));
  const end = events.find(matches) as InterceptionEnd;
  const related = events.filter((event) => event.interception_id === end.interception_id);
  const start = related.find((event) => event.record_type === "interception_start") as InterceptionStart;
  const usage = related.find((event) => event.record_type === "token_usage") as TokenUsage | undefined;
  return { start, usage: usage ?? null, end };
}

/** I1 over all tests of a file, so that a second end is noticed even if it comes during a later test. */
class PairingCheck {
  #past = new Map<string, readonly string[]>();
  readonly #reported = new Set<string>();

  /** Interceptions that do not have one end for one start, or that have several usages. */
  unpaired(events: readonly InterceptorEvent[]): string[] {
    return [...this.#add(events)]
      .filter(([id, types]) => !this.#reported.has(id) && !isPaired(types))
      .map(([id, types]) => `${id}: ${types.join(", ")}`);
  }

  /** Keeps these events for later tests. Interceptions that are unpaired now are not reported again. */
  endTest(events: readonly InterceptorEvent[]): void {
    this.#past = this.#add(events);
    for (const [id, types] of this.#past) if (!isPaired(types)) this.#reported.add(id);
  }

  #add(events: readonly InterceptorEvent[]): Map<string, readonly string[]> {
    const all = new Map(this.#past);
    for (const { interception_id: id, record_type } of events)
      all.set(id, [...(all.get(id) ?? []), record_type]);
    return all;
  }
}

function isPaired(types: readonly string[]): boolean {
  const count = (type: string): number => types.filter((each) => each === type).length;
  const starts = count("interception_start");
  return starts <= 1 && starts === count("interception_end") && count("token_usage") <= starts;
}

async function check(
  running: RunningInterceptor,
  pairing: PairingCheck,
  expected: readonly RegExp[],
  queue: InterceptorOptions["queue"],
): Promise<void> {
  // The assertion below reports interceptions that are still unpaired after the timeout.
  await running.waitForEvents((events) => pairing.unpaired(events).length === 0).catch(() => undefined);
  await running.flush();
  expect(pairing.unpaired(running.events()), "I1: each start has exactly one end").toEqual([]);

  if (queue === "taking") await checkQueue(running);

  const printed = [...running.lines().map(({ message }) => message), JSON.stringify(running.points())];
  const leaked = [...SECRETS, PROMPT].filter((secret) => printed.some((text) => text.includes(secret)));
  expect(leaked, "I2: no secret and no prompt is printed or written").toEqual([]);

  const others = printed
    .slice(0, -1)
    .filter((text) => !text.includes('"interception log"') && !isRuntimeErrorLine(text));
  const unexpected = others.filter((text) => !expected.some((pattern) => pattern.test(text)));
  expect(unexpected, "I5: only events are printed").toEqual([]);
}

/** The queue has accepted the events of the log in the ledger's form, each event once. */
async function checkQueue(running: RunningInterceptor): Promise<void> {
  const logged = ledgerNames(toLedgerEvents(running.events()));
  // The queue receives events after the log. The assertion below reports those still missing after the timeout.
  await running
    .waitForEvents(() => ledgerNames(running.queued()).length >= logged.length)
    .catch(() => undefined);
  expect(ledgerNames(running.queued()), "I1 in the ledger: the queue has what the log has").toEqual(logged);
}

/** All events except refusals, of which the queue gets a bounded number and the counts. */
function ledgerNames(events: readonly InterceptorEvent[]): string[] {
  return events
    .filter(({ record_type }) => record_type !== "refusal" && record_type !== "refusal_count")
    .map((event) => {
      const position = "position" in event ? ` ${event.position}` : "";
      return `${event.interception_id} ${event.record_type}${position}`;
    })
    .toSorted();
}

/** The production bundle with a console line per unhandled rejection, because workerd itself prints none. */
async function instrumentedBundle(directory: string): Promise<Bundle> {
  const { script, settings } = await productionBundle();
  const source = await readFile(script, "utf8");
  // The bundle may also export a Durable Object class, which stays unchanged.
  const exported = /export\s*\{((?:[^}]*,)?)\s*([\w$]+) as default\s*\};?/;
  const instrumented = source.replace(
    exported,
    (_, others: string, app: string) => `export {${others}};${instrumentation(app)}`,
  );
  if (instrumented === source) throw new Error("the bundle's default export has an unexpected form");
  const path = join(directory, "index.js");
  await writeFile(path, instrumented);
  return { script: path, settings };
}

const instrumentation = (app: string): string => `
const logError = (kind) => (reason) => console.error(kind + ": " + (reason?.stack ?? reason));
addEventListener("unhandledrejection", ({ reason }) => logError("unhandled rejection")(reason));
export default {
  fetch(request, env, context) {
    const waitUntil = (promise) => {
      Promise.resolve(promise).catch(logError("waitUntil rejected"));
      context.waitUntil(promise);
    };
    return ${app}.fetch(request, env, { waitUntil });
  },
};
`;

let modelCount = 0;
/** A model name that no other call uses. It identifies a call's events even if the client received no headers. */
export const uniqueModel = (): string => `model-${(modelCount += 1)}`;

export type Call = {
  /** The path, starting with the provider's name. */
  readonly target: string;
  /** Other values are sent as JSON. */
  readonly body?: Uint8Array | string | object;
  /** HTTP chunks to send instead of `body`. */
  readonly chunks?: readonly (Uint8Array | string)[];
  readonly headers?: readonly HeaderPair[];
};

/** Sends a call with the key that its provider expects, on a new connection. */
export async function send(
  port: number,
  { target, body = "", chunks, headers = [] }: Call,
): Promise<RawConnection> {
  const connection = await openRaw(port);
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const content = chunks ? { chunks } : { body: bytes };
  connection.send({ method: "POST", target, headers: [...credentials(target), ...headers], ...content });
  return connection;
}

/** The key in the headers that the dialect's clients send. */
export function credentials(target: string): HeaderPair[] {
  const key = target.includes("-central/") ? CLIENT_KEY : OWN_KEY;
  const json: HeaderPair = ["Content-Type", "application/json"];
  if (!target.startsWith("/anthropic")) return [["Authorization", `Bearer ${key}`], json];
  return [["X-Api-Key", key], ["Anthropic-Version", "2023-06-01"], json];
}

export type Received = {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
  /** `false` if the response was truncated. */
  readonly complete: boolean;
  values(name: string): string[];
  text(): string;
  readonly id: string;
};

/** The response, once it is complete or truncated. The status is 0 if the head was truncated. */
export async function receive(connection: RawConnection): Promise<Received> {
  const done = () => parse(connection.received())?.complete === true;
  const complete = await connection.readUntil(done).then(
    () => true,
    (error: unknown) => {
      if (String(error).includes("the peer's side closed")) return false;
      throw error;
    },
  );
  connection.destroy();
  const { head, body } = parse(connection.received()) ?? { head: "", body: new Uint8Array() };
  const [firstLine = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): HeaderPair => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const values = (name: string) => headerValues(headers, name);
  expect(
    SECRETS.filter((secret) => latin1(body).includes(secret)),
    "I2: no secret in a client's body",
  ).toEqual([]);
  return {
    status: Number(firstLine.split(" ")[1] ?? 0),
    headers,
    body,
    complete,
    values,
    text: () => new TextDecoder().decode(body),
    id: values("x-interception-id")[0] ?? "",
  };
}

/** Sends a call and receives its response. */
export async function exchange(port: number, call: Call): Promise<Received> {
  return receive(await send(port, call));
}

/** Sends a call and returns the unread response, for bodies of many megabytes and for clients that do not read. */
export function openUnread(port: number, { target, body, headers = [] }: Call): Promise<IncomingMessage> {
  const all = [...credentials(target), ...headers].map(([name, value]) => [name, value]);
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", path: target, method: "POST", agent: false };
    const call = request({ ...options, headers: Object.fromEntries(all) as Record<string, string> });
    call.once("response", resolve).once("error", reject).end(JSON.stringify(body));
  });
}

/** Reads a response to its end without keeping it. */
export async function digest(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Resolves as soon as the received part of the response body starts with `bytes`. */
export async function waitForBody(connection: RawConnection, bytes: Uint8Array | string): Promise<void> {
  const expected = typeof bytes === "string" ? Buffer.from(bytes).toString("latin1") : latin1(bytes);
  await connection.readUntil(() => latin1(parse(connection.received())?.body ?? EMPTY).startsWith(expected));
}

const EMPTY = new Uint8Array();

type Parsed = { readonly head: string; readonly body: Uint8Array; readonly complete: boolean };

/** The received part of one response without its framing; `null` if the head is incomplete. */
export function parse(received: Uint8Array): Parsed | null {
  const text = latin1(received);
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd);
  const from = headEnd + 4;
  if (/^transfer-encoding: *chunked$/im.test(head)) return { head, ...dechunk(text, from) };
  const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
  const hasNoBody = /^HTTP\/1\.1 (?:1\d\d|204|304)/.test(head);
  const body = received.slice(from, from + length);
  return { head, body, complete: hasNoBody || body.length === length };
}

function dechunk(text: string, from: number): Omit<Parsed, "head"> {
  const parts: string[] = [];
  let complete = false;
  for (let at = from; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) break;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      complete = text.startsWith("\r\n", lineEnd + 2);
      break;
    }
    parts.push(text.slice(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
    if (at > text.length) break;
  }
  return { body: fromLatin1(parts.join("")), complete };
}
