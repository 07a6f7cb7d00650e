import { clientConnection } from "../../../src/shared/http/client-connection.ts";
import { realTimer } from "../../../src/shared/deadline.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  observe,
  type Observation,
  type ObservedResponse,
  type ObserveOptions,
} from "../../../src/gateway/observation/observe.ts";
import { decideOutcome, usageState } from "../../../src/gateway/observation/outcome.ts";
import { MAX_BUFFERED_BYTES } from "../../../src/gateway/observation/buffered.ts";
import type { ResponseReader } from "../../../src/gateway/provider/response-reader.ts";
import { chatReader, isUsageOnly } from "../../../src/gateway/provider/openai/chat-response.ts";
import { byteByByte, forSeedsAsync, rechunk } from "../../support/rechunk.ts";
import {
  chatStreams,
  fixture,
  fixtures,
  HELD_BYTES,
  KEEP_ALL,
  streams,
} from "../../support/in-workerd/fixtures.ts";
import { drain, upstreamBody, wholeBody, type UpstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { join, text, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const SSE = "text/event-stream; charset=utf-8";
const JSON_TYPE = "application/json";

const MIB = 1024 * 1024;

type Watched = {
  readonly observed: ObservedResponse;
  readonly abort: AbortController;
  /** The client's connection: aborting it is a disconnect. */
  readonly client: AbortController;
};

type Setup = {
  readonly type?: string;
  readonly headers?: Record<string, string>;
  readonly status?: number;
  readonly reader?: ResponseReader;
  readonly options?: Partial<ObserveOptions>;
};

/** Observes a body as if it had been fetched with `abort`'s signal. */
async function watch(
  body: ReadableStream | Uint8Array | UpstreamBody | null,
  { type = SSE, headers = {}, status = 200, reader = chatReader(KEEP_ALL), options = {} }: Setup = {},
): Promise<Watched> {
  const abort = new AbortController();
  const client = new AbortController();
  const stream = body && "failOnAbort" in body ? body.failOnAbort(abort.signal).stream : body;
  const response = new Response(stream, { status, headers: { "content-type": type, ...headers } });
  const observed = await observe(response, reader, {
    connection: clientConnection(client),
    after: realTimer,
    abort,
    secrets: null,
    idleMs: 300_000,
    heldBytes: HELD_BYTES,
    now: () => Date.now(),
    isInjectedUsage: null,
    hashes: false,
    ...options,
  });
  return { observed, abort, client };
}

async function concluded({ observed }: Watched): Promise<Observation> {
  return within(observed.observation, "the observation");
}

/** The observation, if it is resolved already: its end can be recorded before the response is returned. */
async function resolved({ observed }: Watched): Promise<Observation> {
  const observation = await Promise.race([observed.observation, Promise.resolve(null)]);
  if (observation === null) throw new Error("the observation is still pending");
  return observation;
}

const lengthOf = (bytes: Uint8Array): Record<string, string> => ({ "content-length": String(bytes.length) });

const MODES = [
  ["teed", {}],
  ["coalesced", { options: { isInjectedUsage: isUsageOnly } }],
] as const satisfies readonly (readonly [string, Setup])[];

const COALESCED = MODES.filter(([name]) => name === "coalesced");

const ONE = 'data: {"id":"chatcmpl-1","model":"m","choices":[{"delta":{"content":"ü"}}]}\n\n';
const RUNNING = 'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
const DONE = "data: [DONE]\n\n";

describe("I4 the client gets the provider's bytes, and the observation reports their content", () => {
  it.each(streams.map((one) => [one.name, one] as const))("tees %s", async (_, one) => {
    const watched = await watch(wholeBody(...rechunk(one.bytes, 7)), { reader: one.reader() });
    const { bytes, broken } = await drain(watched.observed.body);
    expect(broken).toBe(false);
    expect(text(bytes)).toBe(one.text);
    const { report, end } = await concluded(watched);
    expect(report).toEqual(one.report);
    expect(end).toMatchObject({ how: "end", bytes: one.bytes.length });
    expect(watched.observed.isModified).toBe(false);
  });

  it.each(chatStreams.map((one) => [one.name, one] as const))(
    "coalesces %s, without the usage event",
    async (_, one) => {
      const watched = await watch(wholeBody(...rechunk(one.bytes, 8)), {
        reader: one.reader(),
        options: { isInjectedUsage: isUsageOnly },
      });
      const { bytes, broken } = await drain(watched.observed.body);
      expect(broken).toBe(false);
      const events = one.text.split(/(?<=\n\n)/);
      expect(text(bytes)).toBe(events.filter((event) => !isUsageOnly(event.slice("data: ".length))).join(""));
      const { report, end } = await concluded(watched);
      expect(report).toEqual(one.report);
      expect(end).toMatchObject({ how: "end", bytes: one.bytes.length });
      expect(watched.observed.isModified).toBe(true);
    },
  );

  const bodies = fixtures.filter(({ kind }) => kind === "json");

  it.each(bodies.map((one) => [one.name, one] as const))("buffers %s", async (_, one) => {
    const watched = await watch(wholeBody(...rechunk(one.bytes, 9)), {
      type: JSON_TYPE,
      headers: lengthOf(one.bytes),
      reader: one.reader(),
    });
    expect(watched.observed.body).toEqual(one.bytes);
    expect(await resolved(watched)).toMatchObject({
      report: one.report,
      end: { how: "end", bytes: one.bytes.length },
    });
    expect(watched.observed.isModified).toBe(false);
  });

  it.each(bodies.map((one) => [one.name, one] as const))(
    "tees JSON without a declared length: %s",
    async (_, one) => {
      const watched = await watch(wholeBody(...rechunk(one.bytes, 10)), {
        type: JSON_TYPE,
        reader: one.reader(),
      });
      expect(text((await drain(watched.observed.body)).bytes)).toBe(one.text);
      expect((await concluded(watched)).report).toEqual(one.report);
    },
  );

  it("tees a JSON response over 256 KiB and reads its usage", async () => {
    const { text: small, report } = fixture("chat/json");
    const bytes = utf8(small.replace("Grüße", "x".repeat(MAX_BUFFERED_BYTES)));
    const watched = await watch(wholeBody(...rechunk(bytes, 1, 50_000)), {
      type: JSON_TYPE,
      headers: lengthOf(bytes),
    });
    expect(watched.observed.body).toBeInstanceOf(ReadableStream);
    expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", usageState: "final", report });
  });

  it.each([
    ["audio/mpeg", { outcome: "completed", error: null }],
    ["application/octet-stream", { outcome: "completed", error: null }],
    // No AI API responds with a page: its sender is a network in front of the provider.
    ["text/html", { outcome: "upstream_error", error: "upstream_html" }],
  ] as const)("passes %s through unread", async (type, { outcome, error }) => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 31) % 256);
    for (const headers of [{}, lengthOf(bytes)]) {
      const watched = await watch(wholeBody(...rechunk(bytes, 3, 5000)), { type, headers });
      expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
      expect(await concluded(watched)).toMatchObject({
        outcome,
        usageState: "unknown",
        report: { error },
        end: { how: "end", bytes: bytes.length },
      });
    }
  });

  it("G11 removes nothing from JSON when a stream was requested, and reads the usage", async () => {
    const { bytes, report } = fixture("chat/json");
    const watched = await watch(wholeBody(bytes), {
      type: JSON_TYPE,
      options: { isInjectedUsage: isUsageOnly },
    });
    expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", report });
    // Its length is not declared: a stream with the wrong label would look the same.
    expect(watched.observed.isModified).toBe(true);
  });

  it("keeps the declared length of an event stream", async () => {
    const { bytes } = fixture("chat/plain");
    const watched = await watch(wholeBody(bytes), { headers: lengthOf(bytes) });
    expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed" });
  });

  it("ignores the declared length of a body that the runtime decodes", async () => {
    const { bytes } = fixture("chat/plain");
    const watched = await watch(wholeBody(bytes), {
      headers: { "content-length": "7", "content-encoding": "gzip" },
    });
    expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
    expect(watched.observed.isModified).toBe(true);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed" });
  });

  it.each(["zstd", "deflate", "gzip, br"])(
    "G12 passes a response in the unsupported encoding %s through unread",
    async (encoding) => {
      const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 97) % 256);
      for (const headers of [{}, lengthOf(bytes)]) {
        const watched = await watch(wholeBody(bytes), {
          headers: { ...headers, "content-encoding": encoding },
        });
        expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
        expect(watched.observed.isModified).toBe(false);
        expect(await concluded(watched)).toMatchObject({ outcome: "completed", usageState: "unknown" });
      }
    },
  );

  it.each([204, 304])("G8 concludes a %i without a body at once", async (status) => {
    const watched = await watch(null, { status, type: "" });
    expect(watched.observed).toMatchObject({ body: null, isModified: false });
    expect(await resolved(watched)).toMatchObject({
      outcome: "completed",
      usageState: "unknown",
      end: { how: "end", bytes: 0, firstByteAt: null, truncated: false },
    });
  });

  it.each([
    ["an event stream", SSE],
    ["JSON over 256 KiB", JSON_TYPE],
  ])("observes an error that is already in memory: %s", async (_, type) => {
    // As an error response is after the search for the gateway's key.
    const bytes = utf8(" ".repeat(MAX_BUFFERED_BYTES + 1));
    const watched = await watch(bytes, { type, headers: lengthOf(bytes), status: 429 });
    expect((await within(drain(watched.observed.body), "the client's bytes")).bytes).toEqual(bytes);
    expect(await concluded(watched)).toMatchObject({ outcome: "upstream_error" });
  });
});

describe("I4 a stream that ends without its last blank line", () => {
  it.each(MODES)("%s: passes on exactly the bytes that arrived", async (_, setup) => {
    for (const end of ["data: [DONE]", "data: [DONE]\n", "data: {", ": ping", "\n", "\r"]) {
      const watched = await watch(wholeBody(`${ONE}${end}`), setup);
      expect(text((await drain(watched.observed.body)).bytes)).toBe(ONE + end);
      const { outcome } = await concluded(watched);
      expect(outcome).toBe(end.includes("[DONE]") ? "completed" : "truncated");
    }
  });
});

describe("event delivery", () => {
  it.each(MODES)("%s: delivers each event before the next is sent", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, setup);
    const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
    for (let at = 0; at < 20; at += 1) {
      const event = `data: {"choices":[{"delta":{"content":"${at}"}}]}\n\n`;
      upstream.send(event);
      const { value } = await reader.read();
      expect(text(value ?? new Uint8Array())).toBe(event);
    }
    upstream.send(DONE);
    expect(text((await reader.read()).value ?? new Uint8Array())).toBe(DONE);
    upstream.end();
    expect((await reader.read()).done).toBe(true);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed" });
  });

  it.each(MODES)(
    "%s: joins the events of a burst, whose bytes stay the same, in any pieces",
    async (_, setup) => {
      await forSeedsAsync(5, async (seed) => {
        const whole = `${ONE.repeat(1000)}${DONE}`;
        const pieces = rechunk(utf8(whole), seed, 300).values();
        // As the body of a fetch: each read gets one piece.
        const burst = new ReadableStream({
          type: "bytes",
          pull: (to) => {
            const { done, value } = pieces.next();
            if (!done) return to.enqueue(value.slice());
            to.close();
            to.byobRequest?.respond(0);
          },
        });
        const watched = await watch(burst, setup);
        const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
        const received: Uint8Array[] = [];
        for (let read = await reader.read(); !read.done; read = await reader.read())
          received.push(read.value);
        expect(text(join(received))).toBe(whole);
        expect(received.length).toBeLessThan(whole.length / 300);
        expect(await concluded(watched)).toMatchObject({ outcome: "completed" });
      });
    },
  );

  it.each(MODES)("%s: passes on the same bytes when they arrive one by one", async (_, setup) => {
    const { bytes, text: whole } = fixture("chat/usage-beside-content");
    const watched = await watch(wholeBody(...byteByByte(bytes)), setup);
    expect(text((await drain(watched.observed.body)).bytes)).toBe(whole);
    expect((await concluded(watched)).end.bytes).toBe(bytes.length);
  });
});

describe("the outcome of a response", () => {
  const ended = { ended: true, error: null };
  const open = { ended: false, error: null };
  const failed = { ended: true, error: "overloaded_error" };

  it.each([
    // how, kind, report, status → outcome
    ["end", "events", ended, 200, "completed"],
    ["end", "events", open, 200, "truncated"],
    ["end", "events", failed, 200, "upstream_error"],
    ["end", "json", ended, 200, "completed"],
    ["end", "json", open, 200, "truncated"],
    ["end", "json", ended, 429, "upstream_error"],
    ["end", "json", open, 500, "upstream_error"],
    ["end", "opaque", open, 200, "completed"],
    ["end", "opaque", open, 404, "upstream_error"],
    ["end", "opaque", open, 399, "completed"],
    ["end", "opaque", open, 400, "upstream_error"],
    // The stream's terminal event arrived before its connection broke or became idle.
    ["error", "events", ended, 200, "completed"],
    ["idle", "events", ended, 200, "completed"],
    ["error", "json", ended, 200, "truncated"],
    ["error", "events", open, 200, "truncated"],
    ["error", "opaque", open, 200, "truncated"],
    ["error", "json", open, 503, "upstream_error"],
    ["idle", "events", open, 200, "stalled"],
    ["idle", "opaque", open, 200, "stalled"],
    ["idle", "events", failed, 200, "upstream_error"],
    ["end, capped", "events", open, 200, "completed"],
    ["end, capped", "json", open, 200, "completed"],
    ["end, capped", "events", failed, 200, "upstream_error"],
    ["error, capped", "events", open, 200, "truncated"],
    ["client, capped", "events", open, 200, "cancelled"],
    ["client", "events", ended, 200, "cancelled"],
    ["client", "events", open, 200, "cancelled"],
    ["client", "json", failed, 500, "cancelled"],
  ] as const)("%s of %s, %j, status %i: %s", (end, kind, report, status, outcome) => {
    const how = end.replace(", capped", "") as "end" | "error" | "idle" | "client";
    const capped = end.endsWith("capped");
    expect(
      decideOutcome(
        { how, truncated: capped },
        kind,
        { queued: false, finishReason: null, ...report },
        status,
      ),
    ).toBe(outcome);
  });

  const usage = {
    input_tokens: 1,
    output_tokens: 2,
    cache_read_input_tokens: null,
    cache_write_input_tokens: null,
    extras: {},
    invalid: false,
    addsUp: true,
    raw: null,
  };

  const closing = (changes: object): string =>
    usageState({ usage: { ...usage, ...changes }, usageFinal: true });

  it("classifies usage as final, partial or unknown", () => {
    expect(usageState({ usage, usageFinal: true })).toBe("final");
    expect(usageState({ usage, usageFinal: false })).toBe("partial");
    expect(usageState({ usage: null, usageFinal: false })).toBe("unknown");
  });

  it("G21 closing figures are partial if one is missing or invalid, and unknown if all are missing", () => {
    expect(closing({ input_tokens: null })).toBe("partial");
    expect(closing({ output_tokens: null })).toBe("partial");
    expect(closing({ invalid: true })).toBe("partial");
    const none = { input_tokens: null, output_tokens: null };
    expect(closing(none)).toBe("unknown");
    expect(closing({ ...none, invalid: true })).toBe("unknown");
    expect(closing({ ...none, cache_read_input_tokens: 3 })).toBe("partial");
    expect(closing({ ...none, extras: { total_tokens: 9 } })).toBe("partial");
    expect(closing({ input_tokens: 0, output_tokens: 0 })).toBe("final");
  });

  it.each(MODES)(
    "G5 %s: a clean end without the terminal event is truncated, and no event is added",
    async (_, setup) => {
      const watched = await watch(wholeBody(ONE, RUNNING), setup);
      expect(text((await drain(watched.observed.body)).bytes)).toBe(ONE + RUNNING);
      expect(await concluded(watched)).toMatchObject({
        outcome: "truncated",
        usageState: "partial",
        report: { usage: { input_tokens: 5, output_tokens: 2 } },
      });
    },
  );

  it.each(MODES)(
    "G4 %s: a reset in mid-stream is truncated with the usage seen so far, and the client's stream breaks",
    async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, setup);
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING);
      expect(text((await reader.read()).value ?? new Uint8Array())).toBe(ONE + RUNNING);
      upstream.fail();
      await expect(reader.read()).rejects.toBeDefined();
      expect(await concluded(watched)).toMatchObject({
        outcome: "truncated",
        usageState: "partial",
        report: { id: "chatcmpl-1", usage: { input_tokens: 5, output_tokens: 2 } },
        end: { how: "error", bytes: utf8(ONE + RUNNING).length },
      });
    },
  );

  it.each(MODES)("I4 G4 %s: delivers the part of an event that arrived before a reset", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, setup);
    const client = drain(watched.observed.body);
    upstream.send(`${ONE}data: {"choices":[{"del`);
    await until(upstream.isConsumed, "the bytes to be read");
    upstream.fail();
    const { bytes, broken } = await client;
    expect(broken).toBe(true);
    expect(text(bytes)).toBe(`${ONE}data: {"choices":[{"del`);
    expect(await concluded(watched)).toMatchObject({ outcome: "truncated" });
  });

  it("G6 JSON shorter than its content-length is truncated: the client gets the bytes that arrived, then the break", async () => {
    const { bytes } = fixture("chat/json");
    const watched = await watch(wholeBody(bytes.subarray(0, 100)), {
      type: JSON_TYPE,
      headers: lengthOf(bytes),
    });
    const got = await drain(watched.observed.body);
    expect(got).toEqual({ bytes: bytes.subarray(0, 100), broken: true });
    expect(await resolved(watched)).toMatchObject({ outcome: "truncated", usageState: "unknown" });
  });

  it("G6 an event stream shorter than its content-length is truncated", async () => {
    const watched = await watch(wholeBody(ONE), { headers: { "content-length": "5000" } });
    const got = await drain(watched.observed.body);
    expect(text(got.bytes)).toBe(ONE);
    expect(got.broken).toBe(true);
    expect(await concluded(watched)).toMatchObject({ outcome: "truncated" });
  });

  it("JSON that breaks off is truncated, or an upstream_error if the status is an error", async () => {
    for (const [status, outcome] of [
      [200, "truncated"],
      [500, "upstream_error"],
    ] as const) {
      const upstream = upstreamBody();
      upstream.fail();
      const headers = { "content-length": "50" };
      const watched = await watch(upstream, { type: JSON_TYPE, headers, status });
      expect((await drain(watched.observed.body)).broken).toBe(true);
      expect(await resolved(watched)).toMatchObject({ outcome });
    }
  });

  it.each([400, 401, 429, 500, 529])(
    "G7 a %i is an upstream_error with the provider's error type",
    async (status) => {
      const { bytes, report } = fixture("messages/json-error");
      const watched = await watch(wholeBody(bytes), {
        type: JSON_TYPE,
        headers: lengthOf(bytes),
        status,
        reader: fixture("messages/json-error").reader(),
      });
      expect(watched.observed.body).toEqual(bytes);
      expect(await resolved(watched)).toMatchObject({ outcome: "upstream_error", report });
    },
  );

  it("G26 an error event inside a 200 is an upstream_error", async () => {
    const one = fixture("messages/error-inside");
    const watched = await watch(wholeBody(one.bytes), { reader: one.reader() });
    await drain(watched.observed.body);
    expect(await concluded(watched)).toMatchObject({
      outcome: "upstream_error",
      usageState: "partial",
      report: { error: "overloaded_error" },
    });
  });

  it("recognizes a terminal event that is too large to be read by its name", async () => {
    const one = fixture("responses/completed");
    const [last = "", ...before] = one.text.split(/(?<=\n\n)/).toReversed();
    // As with a generated image: the terminal event repeats the complete response, with the image.
    const large = last.replace('"output":[]', `"output":["${"A".repeat(3 * 1024 * 1024)}"]`);
    const watched = await watch(wholeBody(before.toReversed().join(""), large), { reader: one.reader() });
    expect((await drain(watched.observed.body)).broken).toBe(false);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", report: { id: one.report.id } });
  });

  it("a reset after the terminal event is completed", async () => {
    const upstream = upstreamBody();
    const watched = await watch(upstream);
    const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + DONE);
    await reader.read();
    upstream.fail();
    await expect(reader.read()).rejects.toBeDefined();
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", report: { ended: true } });
  });

  it("G4 a reset after a large burst is attributed to the upstream, not to the client", async () => {
    const upstream = upstreamBody();
    const watched = await watch(upstream);
    const client = drain(watched.observed.body);
    for (let at = 0; at < 40; at += 1) upstream.send(`data: ${"x".repeat(16 * 1024)}\n\n`);
    upstream.fail();
    expect((await client).broken).toBe(true);
    expect(await concluded(watched)).toMatchObject({ outcome: "truncated" });
  });
});

const held = (bytes: number): Setup => ({ options: { heldBytes: { events: bytes, json: bytes } } });

describe("the bound on the bytes that are held until they can be read", () => {
  const heldJson = (bytes: number): Setup => ({ type: JSON_TYPE, ...held(bytes) });
  const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n';
  const JSON_USAGE = '"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}';

  it.each(MODES)("%s: an event stream of more bytes than the bound is read to its end", async (_, setup) => {
    const word = `data: {"choices":[],"x":"${"y".repeat(1000)}"}\n\n`;
    const bytes = utf8(word.repeat(4000) + USAGE + DONE);
    const isInjectedUsage = "options" in setup ? setup.options.isInjectedUsage : null;
    const options = { ...held(2 * MIB).options, isInjectedUsage };
    const watched = await watch(wholeBody(...rechunk(bytes, 5, 60_000)), { options });
    const got = (await drain(watched.observed.body)).bytes;
    expect(got.length).toBe(bytes.length - (isInjectedUsage ? USAGE.length : 0));
    expect(await concluded(watched)).toMatchObject({
      outcome: "completed",
      usageState: "final",
      end: { how: "end", truncated: false, bytes: bytes.length },
    });
  });

  it("an event over the bound is dropped, and the stream's other events are read", async () => {
    const large = `data: ${"x".repeat(100_000)}\n\n`;
    const watched = await watch(wholeBody(large + USAGE + DONE), held(70_000));
    expect(text((await drain(watched.observed.body)).bytes)).toBe(large + USAGE + DONE);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", usageState: "final" });
  });

  it("an event of up to 64 KiB is read under every bound", async () => {
    const watched = await watch(wholeBody(ONE + USAGE + DONE), held(0));
    await drain(watched.observed.body);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", usageState: "final" });
  });

  it("past the bound the client still gets every byte of JSON, and the observation is marked as truncated", async () => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, heldJson(1000));
    const client = drain(watched.observed.body);
    const first = `{"x":"${"y".repeat(5000)}",`;
    upstream.send(first);
    await until(upstream.isConsumed, "the bytes to be read");
    upstream.send(JSON_USAGE);
    upstream.end();
    expect(text((await client).bytes)).toBe(first + JSON_USAGE);
    expect(await concluded(watched)).toMatchObject({
      outcome: "completed",
      usageState: "final",
      end: { how: "end", truncated: true, bytes: first.length + JSON_USAGE.length },
    });
  });

  it("reads JSON of exactly the bound's length to its end", async () => {
    const bytes = utf8(`{${JSON_USAGE}`);
    const watched = await watch(wholeBody(bytes), heldJson(bytes.length));
    await drain(watched.observed.body);
    expect(await concluded(watched)).toMatchObject({
      usageState: "final",
      end: { how: "end", truncated: false },
    });
  });

  it("JSON over the bound is completed, not truncated", async () => {
    const bytes = utf8(`{"x":"${"y".repeat(5000)}"}`);
    const watched = await watch(wholeBody(bytes), heldJson(100));
    expect((await drain(watched.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed", usageState: "unknown" });
  });

  it.each([
    ["JSON", JSON_TYPE],
    ["an event stream", SSE],
  ])("an upstream that breaks off past the bound is truncated: %s", async (_, type) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, { ...held(10), type });
    const client = drain(watched.observed.body);
    upstream.send((type === JSON_TYPE ? `{"x":"${"y".repeat(99)}"}` : ONE).repeat(200));
    await until(upstream.isConsumed, "the bytes to be read");
    upstream.fail();
    expect((await client).broken).toBe(true);
    expect(await concluded(watched)).toMatchObject({
      outcome: "truncated",
      end: { truncated: type === JSON_TYPE },
    });
  });

  it.each([
    ["JSON", JSON_TYPE],
    ["an event stream", SSE],
  ])("a client disconnect past the bound aborts the upstream: %s", async (_, type) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, { ...held(10), type });
    const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE.repeat(200));
    await reader.read();
    watched.client.abort();
    expect(await concluded(watched)).toMatchObject({ outcome: "cancelled" });
    expect(watched.abort.signal.aborted).toBe(true);
  });
});

describe("G23 a client disconnect", () => {
  it.each(MODES)(
    "%s: signalled, it aborts the upstream, and the observation reports the usage seen so far",
    async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, setup);
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING);
      await reader.read();
      expect(watched.abort.signal.aborted).toBe(false);
      watched.client.abort();
      expect(watched.abort.signal.aborted).toBe(true);
      expect(await concluded(watched)).toMatchObject({
        outcome: "cancelled",
        usageState: "partial",
        report: { usage: { input_tokens: 5, output_tokens: 2 } },
        end: { how: "client" },
      });
    },
  );

  // Of a teed stream only the signal tells, and over real sockets it does: G23, a plain close while the provider sends, and
  // test/sockets/context.test.ts.
  it.each(COALESCED)("%s: without a signal, it is detected by the next write", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, setup);
    const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE);
    await reader.read();
    await reader.cancel();
    upstream.send(RUNNING);
    expect(await concluded(watched)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    expect(watched.abort.signal.aborted).toBe(true);
  });

  it.each(COALESCED)(
    "%s: without a signal, it is detected while the upstream sends without pause",
    async (_, setup) => {
      const word = utf8(ONE.repeat(20));
      const endless = new ReadableStream({ type: "bytes", pull: (to) => to.enqueue(word.slice()) });
      const watched = await watch(endless, setup);
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await reader.cancel();
      const { outcome, end } = await concluded(watched);
      expect([outcome, end.how, end.truncated]).toEqual(["cancelled", "client", false]);
      expect(watched.abort.signal.aborted).toBe(true);
    },
  );

  it.each(MODES)("%s: before the first byte, it is cancelled", async (_, setup) => {
    const watched = await watch(upstreamBody(), setup);
    watched.client.abort();
    expect(watched.abort.signal.aborted).toBe(true);
    expect(await concluded(watched)).toMatchObject({
      outcome: "cancelled",
      usageState: "unknown",
      end: { how: "client", bytes: 0, firstByteAt: null, truncated: false },
    });
  });

  it.each(MODES)("%s: before the observation starts, it is cancelled", async (_, setup) => {
    const disconnected = AbortSignal.abort();
    const watched = await watch(upstreamBody(), {
      ...setup,
      options: {
        ...("options" in setup ? setup.options : {}),
        connection: clientConnection({ signal: disconnected }),
      },
    });
    expect(watched.abort.signal.aborted).toBe(true);
    expect(await concluded(watched)).toMatchObject({ outcome: "cancelled" });
  });

  it("while a response is buffered, it is cancelled", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    upstream.send('{"id":');
    const watching = watch(upstream, {
      type: JSON_TYPE,
      headers: { "content-length": "100" },
      options: { connection: clientConnection(client) },
    });
    client.abort();
    const watched = await watching;
    expect(watched.abort.signal.aborted).toBe(true);
    expect(await resolved(watched)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
  });

  it.each(MODES)(
    "%s: between the last byte and the stream's end, it is cancelled with the final usage",
    async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, setup);
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING + DONE);
      await reader.read();
      watched.client.abort();
      expect(await concluded(watched)).toMatchObject({ outcome: "cancelled", usageState: "final" });
    },
  );

  it.each(MODES)("G27 %s: in the same tick as the end, there is one observation", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, setup);
    const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + RUNNING + DONE);
    await reader.read();
    upstream.end();
    watched.client.abort();
    const { outcome, usageState: state } = await concluded(watched);
    expect(["completed", "cancelled"]).toContain(outcome);
    expect(state).toBe("final");
  });

  it.each(MODES)("%s: after the end, it aborts nothing", async (_, setup) => {
    const watched = await watch(wholeBody(ONE, DONE), setup);
    await drain(watched.observed.body);
    expect(await concluded(watched)).toMatchObject({ outcome: "completed" });
    watched.client.abort();
    expect(watched.abort.signal.aborted).toBe(false);
  });

  // A runtime may not fail the pipe, or only late. Then no reader takes the bytes, and none cancels the stream.
  describe("that only the signal reports", () => {
    it.each(MODES)("%s: while bytes are unread", async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, setup);
      upstream.send(ONE + RUNNING);
      await until(upstream.isConsumed, "the bytes to be read");
      watched.client.abort();
      expect(await concluded(watched)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
      expect(watched.abort.signal.aborted).toBe(true);
    });

    it.each(MODES)("%s: while the complete response is unread", async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, setup);
      upstream.send(ONE + RUNNING + DONE);
      upstream.end();
      await until(upstream.isConsumed, "the bytes to be read");
      watched.client.abort();
      expect(await concluded(watched)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    });

    it("past the bytes that are held", async () => {
      const upstream = upstreamBody();
      const heldBytes = { events: 100, json: 100 };
      const watched = await watch(upstream, { type: JSON_TYPE, options: { heldBytes } });
      upstream.send(`{"x":"${"y".repeat(5000)}`);
      await until(upstream.isConsumed, "the bytes to be read");
      watched.client.abort();
      expect(await concluded(watched)).toMatchObject({
        outcome: "cancelled",
        end: { how: "client", truncated: true },
      });
    });

    it("in the tick in which the upstream ended", async () => {
      const upstream = upstreamBody();
      const watched = await watch(upstream);
      upstream.send(ONE + DONE);
      upstream.end();
      watched.client.abort();
      expect(await concluded(watched)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    });
  });
});

describe("the idle timeout", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const IDLE = 1000;
  const idle = (setup: Setup): Setup => ({ ...setup, options: { ...setup.options, idleMs: IDLE } });

  it.each(MODES)(
    "G3 %s: aborts an idle upstream, which is stalled with the usage seen so far",
    async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, idle(setup));
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING);
      await reader.read();
      await vi.advanceTimersByTimeAsync(IDLE - 200);
      expect(watched.abort.signal.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(IDLE);
      expect(watched.abort.signal.aborted).toBe(true);
      await expect(reader.read()).rejects.toBeDefined();
      expect(await watched.observed.observation).toMatchObject({
        outcome: "stalled",
        usageState: "partial",
        end: { how: "idle" },
      });
    },
  );

  it.each(MODES)("G3 %s: an upstream that never sends a byte is stalled too", async (_, setup) => {
    const watched = await watch(upstreamBody(), idle(setup));
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(watched.abort.signal.aborted).toBe(true);
    expect(await watched.observed.observation).toMatchObject({ outcome: "stalled", end: { bytes: 0 } });
  });

  it("G3 JSON past the bytes that are held can stall as well", async () => {
    const upstream = upstreamBody();
    const heldBytes = { events: 10, json: 10 };
    const watched = await watch(upstream, idle({ type: JSON_TYPE, options: { heldBytes } }));
    const client = drain(watched.observed.body);
    upstream.send(`{"x":"${"y".repeat(1000)}`);
    await vi.advanceTimersByTimeAsync(2 * IDLE);
    expect(watched.abort.signal.aborted).toBe(true);
    expect((await client).broken).toBe(true);
    expect(await watched.observed.observation).toMatchObject({
      outcome: "stalled",
      end: { how: "idle", truncated: true },
    });
  });

  it("G3 a buffered response can stall as well", async () => {
    const upstream = upstreamBody();
    upstream.send("{");
    const watching = watch(upstream, idle({ type: JSON_TYPE, headers: { "content-length": "50" } }));
    await vi.advanceTimersByTimeAsync(2 * IDLE);
    const watched = await watching;
    expect(watched.abort.signal.aborted).toBe(true);
    expect(await resolved(watched)).toMatchObject({ outcome: "stalled" });
    const client = drain(watched.observed.body);
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(await client).toEqual({ bytes: utf8("{"), broken: true });
  });

  it.each(MODES)("G17 %s: comments keep the connection open for as long as they arrive", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, idle(setup));
    const client = drain(watched.observed.body);
    for (let at = 0; at < 30; at += 1) {
      upstream.send(": ping\n\n");
      await vi.advanceTimersByTimeAsync(IDLE - 200);
    }
    expect(watched.abort.signal.aborted).toBe(false);
    upstream.send(ONE + DONE);
    upstream.end();
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(text((await client).bytes)).toBe(`${": ping\n\n".repeat(30)}${ONE}${DONE}`);
    expect(await watched.observed.observation).toMatchObject({ outcome: "completed" });
  });

  it.each(MODES)("G24 %s: a slow client does not count as an idle upstream", async (_, setup) => {
    const upstream = upstreamBody();
    const watched = await watch(upstream, idle(setup));
    const events = Array.from({ length: 40 }, (__, at) => `data: ${at} ${"x".repeat(16 * 1024)}\n\n`);
    for (const event of events) upstream.send(event);
    upstream.send(DONE);
    upstream.end();
    await vi.advanceTimersByTimeAsync(20 * IDLE);
    expect(watched.abort.signal.aborted).toBe(false);
    const client = drain(watched.observed.body);
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(text((await client).bytes)).toBe(events.join("") + DONE);
    expect(await watched.observed.observation).toMatchObject({ outcome: "completed" });
  });

  it.each(MODES)(
    "G24 %s: a client that is slow to read the end of a complete response is not cut off",
    async (_, setup) => {
      const upstream = upstreamBody();
      const watched = await watch(upstream, idle(setup));
      const reader = (watched.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + DONE);
      upstream.end();
      await reader.read();
      await vi.advanceTimersByTimeAsync(20 * IDLE);
      expect(watched.abort.signal.aborted).toBe(false);
      while (!(await reader.read()).done);
      await vi.advanceTimersByTimeAsync(IDLE);
      expect(await watched.observed.observation).toMatchObject({ outcome: "completed" });
    },
  );

  it.each(MODES)("%s: leaves no timer behind", async (_, setup) => {
    const watched = await watch(wholeBody(ONE, DONE), idle(setup));
    const client = drain(watched.observed.body);
    await vi.advanceTimersByTimeAsync(200);
    await client;
    await watched.observed.observation;
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("records the time at which the first byte arrived", async () => {
    vi.setSystemTime(1_000_000);
    const upstream = upstreamBody();
    const watched = await watch(upstream, { options: { isInjectedUsage: isUsageOnly } });
    const client = drain(watched.observed.body);
    await vi.advanceTimersByTimeAsync(250);
    upstream.send(ONE);
    await vi.advanceTimersByTimeAsync(250);
    upstream.send(DONE);
    upstream.end();
    await client;
    const { end } = await watched.observed.observation;
    expect(end.firstByteAt).toBe(1_000_250);
  });
});
