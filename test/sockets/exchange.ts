/**
 * What `sdk`, `bodies`, `streams` and `sinks` share: an interceptor before a provider, calls to it by a raw client, and
 * what must hold in every case (I1, I2, I5), checked after each test over all that the interceptor has printed.
 */
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
import { isOwnComplaint } from "../support/workerd-build.ts";

/** Canaries: nothing the interceptor prints or writes may hold one, nor a client see one. */
export const OWN_KEY = "sk-own-canary-5e1f0a7c9b3d2e64";
export const CENTRAL_KEY = "sk-proj-canary-d1c2b3a4f5e69788";
export const CLIENT_KEY = "aei_canary_0f1e2d3c4b5a69788796";
export const PROMPT = "canary prompt: where did the grey heron go?";
const SECRETS = [OWN_KEY, CENTRAL_KEY, CLIENT_KEY];

export type Limits = {
  readonly headers_ms?: number;
  readonly idle_ms?: number;
  readonly body_bytes?: number;
  readonly observe_bytes?: number;
};

/** `openai` and `anthropic` are called with the client's own key, `…-central` with the gateway's. */
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
    "openai-central": { ...openai, keys },
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
  /** One interception by its id or by the model asked for, as soon as it has ended. */
  recorded(key: string): Promise<Recorded>;
  /** In this test the console may also say this. */
  expectLine(pattern: RegExp): void;
};

/** Starts an interceptor for one test file; it is checked after each test and closed after the last. */
export async function startCheckedInterceptor(options: InterceptorOptions): Promise<CheckedInterceptor> {
  const directory = await mkdtemp(join(tmpdir(), "watched-"));
  // Every case is also counted in the ledger's queue, unless a test wants another.
  const running = await startInterceptor({ queue: "taking", ...options }, await watchedBundle(directory));
  const ledger = new Ledger();
  let expected: RegExp[] = [];
  afterEach(async ({ task }) => {
    try {
      // A test that has failed has told what is wrong; what it left unfinished is neither waited for nor told twice.
      if (task.result?.state !== "fail") await check(running, ledger, expected, options.queue ?? "taking");
    } finally {
      ledger.close(running.events());
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
  const isIt = (event: InterceptorEvent): event is InterceptionEnd =>
    event.record_type === "interception_end" && (event.interception_id === key || event.model === key);
  const events = await running.waitForEvents((all) => all.some(isIt));
  const end = events.find(isIt) as InterceptionEnd;
  const own = events.filter((event) => event.interception_id === end.interception_id);
  const start = own.find((event) => event.record_type === "interception_start") as InterceptionStart;
  const usage = own.find((event) => event.record_type === "token_usage") as TokenUsage | undefined;
  return { start, usage: usage ?? null, end };
}

/** I1 over all tests of a file: an end that comes a test too late is a second end all the same. */
class Ledger {
  #past = new Map<string, readonly string[]>();
  readonly #told = new Set<string>();

  /** Interceptions that, with these events, do not have one end for one start, or have several usages. */
  uneven(events: readonly InterceptorEvent[]): string[] {
    return [...this.#add(events)]
      .filter(([id, types]) => !this.#told.has(id) && !isEven(types))
      .map(([id, types]) => `${id}: ${types.join(", ")}`);
  }

  /** Keeps these events for the tests to come; what is uneven now has been told. */
  close(events: readonly InterceptorEvent[]): void {
    this.#past = this.#add(events);
    for (const [id, types] of this.#past) if (!isEven(types)) this.#told.add(id);
  }

  #add(events: readonly InterceptorEvent[]): Map<string, readonly string[]> {
    const all = new Map(this.#past);
    for (const { interception_id: id, record_type } of events)
      all.set(id, [...(all.get(id) ?? []), record_type]);
    return all;
  }
}

function isEven(types: readonly string[]): boolean {
  const of = (type: string): number => types.filter((one) => one === type).length;
  const starts = of("interception_start");
  return starts <= 1 && starts === of("interception_end") && of("token_usage") <= starts;
}

async function check(
  running: RunningInterceptor,
  ledger: Ledger,
  expected: readonly RegExp[],
  queue: InterceptorOptions["queue"],
): Promise<void> {
  // What is still uneven after the wait is said below.
  await running.waitForEvents((events) => ledger.uneven(events).length === 0).catch(() => undefined);
  await running.flush();
  expect(ledger.uneven(running.events()), "I1: each start has exactly one end").toEqual([]);

  if (queue === "taking") await checkQueue(running);

  const printed = [...running.lines().map(({ message }) => message), JSON.stringify(running.points())];
  const told = [...SECRETS, PROMPT].filter((secret) => printed.some((text) => text.includes(secret)));
  expect(told, "I2: no secret and no prompt is printed or written").toEqual([]);

  const others = printed
    .slice(0, -1)
    .filter((text) => !text.includes('"interception log"') && !isOwnComplaint(text));
  const odd = others.filter((text) => !expected.some((pattern) => pattern.test(text)));
  expect(odd, "I5: nothing is printed but events").toEqual([]);
}

/** The queue has taken what the log says, each event once. */
async function checkQueue(running: RunningInterceptor): Promise<void> {
  const logged = ledgerNames(running.events());
  // The queue's word comes after the log's; what is missing after the wait is said below.
  await running.waitForEvents(() => running.queued().length >= logged.length).catch(() => undefined);
  expect(ledgerNames(running.queued()), "I1 in the ledger: the queue has what the log has").toEqual(logged);
}

/** All but what the ledger has no table for. */
function ledgerNames(events: readonly InterceptorEvent[]): string[] {
  return events
    .filter(({ record_type }) => record_type !== "refusal" && record_type !== "passthrough")
    .map((event) => {
      const position = "position" in event ? ` ${event.position}` : "";
      return `${event.interception_id} ${event.record_type}${position}`;
    })
    .toSorted();
}

/** The production bundle, and a line on the console for each rejection that nobody handles: workerd itself says nothing. */
async function watchedBundle(directory: string): Promise<Bundle> {
  const { script, settings } = await productionBundle();
  const source = await readFile(script, "utf8");
  // Beside the Worker a Durable Object's class may be exported; it stays as it is.
  const exported = /export\s*\{((?:[^}]*,)?)\s*([\w$]+) as default\s*\};?/;
  const watched = source.replace(
    exported,
    (_, others: string, app: string) => `export {${others}};${watch(app)}`,
  );
  if (watched === source) throw new Error("the bundle's default export has another form");
  const path = join(directory, "index.js");
  await writeFile(path, watched);
  return { script: path, settings };
}

const watch = (app: string): string => `
const complainOf = (what) => (reason) => console.error(what + ": " + (reason?.stack ?? reason));
addEventListener("unhandledrejection", ({ reason }) => complainOf("unhandled rejection")(reason));
export default {
  fetch(request, env, context) {
    const waitUntil = (promise) => {
      Promise.resolve(promise).catch(complainOf("waitUntil rejected"));
      context.waitUntil(promise);
    };
    return ${app}.fetch(request, env, { waitUntil });
  },
};
`;

let models = 0;
/** A model's name that no other call has: by it a call's record is found even where the client got no headers. */
export const uniqueModel = (): string => `model-${(models += 1)}`;

export type Call = {
  /** The path, from the provider's name on. */
  readonly target: string;
  /** Any other value goes as JSON. */
  readonly body?: Uint8Array | string | object;
  /** Instead of `body`: one HTTP chunk each. */
  readonly chunks?: readonly (Uint8Array | string)[];
  readonly headers?: readonly HeaderPair[];
};

/** Sends a call with the key that its provider wants, on a connection of its own. */
export async function send(
  port: number,
  { target, body = "", chunks, headers = [] }: Call,
): Promise<RawConnection> {
  const connection = await openRaw(port);
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const what = chunks ? { chunks } : { body: bytes };
  connection.send({ method: "POST", target, headers: [...credentials(target), ...headers], ...what });
  return connection;
}

/** The key in the form that the dialect's clients send. */
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
  /** The answer reached its end; `false`: it broke off. */
  readonly complete: boolean;
  values(name: string): string[];
  text(): string;
  readonly id: string;
};

/** The answer, when it is whole or has broken off. Broken off before the head was whole: the status is 0. */
export async function receive(connection: RawConnection): Promise<Received> {
  const done = () => parse(connection.received())?.whole === true;
  const whole = await connection.readUntil(done).then(
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
    complete: whole,
    values,
    text: () => new TextDecoder().decode(body),
    id: values("x-interception-id")[0] ?? "",
  };
}

/** Sends a call and receives its answer. */
export async function exchange(port: number, call: Call): Promise<Received> {
  return receive(await send(port, call));
}

/** Sends a call and hands on the answer unread: for bodies of many megabytes, and for clients that do not read. */
export function openUnread(port: number, { target, body, headers = [] }: Call): Promise<IncomingMessage> {
  const all = [...credentials(target), ...headers].map(([name, value]) => [name, value]);
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", path: target, method: "POST", agent: false };
    const call = request({ ...options, headers: Object.fromEntries(all) as Record<string, string> });
    call.once("response", resolve).once("error", reject).end(JSON.stringify(body));
  });
}

/** Reads an answer to its end without keeping it. */
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

/** Resolves as soon as what has come of the answer's body begins with `bytes`. */
export async function waitForBody(connection: RawConnection, bytes: Uint8Array | string): Promise<void> {
  const wanted = typeof bytes === "string" ? Buffer.from(bytes).toString("latin1") : latin1(bytes);
  await connection.readUntil(() => latin1(parse(connection.received())?.body ?? EMPTY).startsWith(wanted));
}

const EMPTY = new Uint8Array();

type Parsed = { readonly head: string; readonly body: Uint8Array; readonly whole: boolean };

/** What has come of one answer, its framing taken away; null where the head is not whole. */
export function parse(received: Uint8Array): Parsed | null {
  const text = latin1(received);
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd);
  const from = headEnd + 4;
  if (/^transfer-encoding: *chunked$/im.test(head)) return { head, ...dechunk(text, from) };
  const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
  const bodiless = /^HTTP\/1\.1 (?:1\d\d|204|304)/.test(head);
  const body = received.slice(from, from + length);
  return { head, body, whole: bodiless || body.length === length };
}

function dechunk(text: string, from: number): Omit<Parsed, "head"> {
  const parts: string[] = [];
  let whole = false;
  for (let at = from; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) break;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      whole = text.startsWith("\r\n", lineEnd + 2);
      break;
    }
    parts.push(text.slice(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
    if (at > text.length) break;
  }
  return { body: fromLatin1(parts.join("")), whole };
}
