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
import { byteByByte, rechunk } from "../../support/rechunk.ts";
import { chatStreams, fixture, fixtures, KEEP_ALL, streams } from "../../support/in-workerd/fixtures.ts";
import { drain, upstreamBody, wholeBody, type UpstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const SSE = "text/event-stream; charset=utf-8";
const JSON_TYPE = "application/json";

type Watch = {
  readonly observed: ObservedResponse;
  readonly abort: AbortController;
  /** The client's connection: aborting it is leaving. */
  readonly client: AbortController;
};

type Given = {
  readonly type?: string;
  readonly headers?: Record<string, string>;
  readonly status?: number;
  readonly reader?: ResponseReader;
  readonly options?: Partial<ObserveOptions>;
};

/** Observes a body as if it had been fetched with `abort`'s signal. */
async function watch(
  body: ReadableStream | Uint8Array | UpstreamBody | null,
  { type = SSE, headers = {}, status = 200, reader = chatReader(KEEP_ALL), options = {} }: Given = {},
): Promise<Watch> {
  const abort = new AbortController();
  const client = new AbortController();
  const sent = body && "failWith" in body ? body.failWith(abort.signal).stream : body;
  const response = new Response(sent, { status, headers: { "content-type": type, ...headers } });
  const observed = await observe(response, reader, {
    clientSignal: client.signal,
    abort,
    idleMs: 300_000,
    capBytes: 8 * 1024 * 1024,
    now: () => Date.now(),
    isInjectedUsage: null,
    ...options,
  });
  return { observed, abort, client };
}

async function concluded({ observed }: Watch): Promise<Observation> {
  return within(Promise.resolve(observed.observation), "a conclusion");
}

const lengthOf = (bytes: Uint8Array): Record<string, string> => ({ "content-length": String(bytes.length) });

const WAYS = [
  ["beside the client's stream", {}],
  ["through, with an event to take out", { options: { isInjectedUsage: isUsageOnly } }],
] as const satisfies readonly (readonly [string, Given])[];

const ONE = 'data: {"id":"chatcmpl-1","model":"m","choices":[{"delta":{"content":"ü"}}]}\n\n';
const RUNNING = 'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
const DONE = "data: [DONE]\n\n";

describe("I4 the client's bytes are the provider's, and the conclusion tells what they said", () => {
  it.each(streams.map((one) => [one.name, one] as const))("beside: %s", async (_, one) => {
    const own = await watch(wholeBody(...rechunk(one.bytes, 7)), { reader: one.reader() });
    const { bytes, broken } = await drain(own.observed.body);
    expect(broken).toBe(false);
    expect(text(bytes)).toBe(one.text);
    const { report, end: ending } = await concluded(own);
    expect(report).toEqual(one.report);
    expect(ending).toMatchObject({ how: "end", bytes: one.bytes.length });
    expect(own.observed.isModified).toBe(false);
  });

  it.each(chatStreams.map((one) => [one.name, one] as const))(
    "through: %s, less the usage event",
    async (_, one) => {
      const own = await watch(wholeBody(...rechunk(one.bytes, 8)), {
        reader: one.reader(),
        options: { isInjectedUsage: isUsageOnly },
      });
      const { bytes, broken } = await drain(own.observed.body);
      expect(broken).toBe(false);
      const events = one.text.split(/(?<=\n\n)/);
      expect(text(bytes)).toBe(events.filter((event) => !isUsageOnly(event.slice("data: ".length))).join(""));
      const { report, end: ending } = await concluded(own);
      expect(report).toEqual(one.report);
      expect(ending).toMatchObject({ how: "end", bytes: one.bytes.length });
      expect(own.observed.isModified).toBe(true);
    },
  );

  const bodies = fixtures.filter(({ kind }) => kind === "json");

  it.each(bodies.map((one) => [one.name, one] as const))("whole: %s", async (_, one) => {
    const own = await watch(wholeBody(...rechunk(one.bytes, 9)), {
      type: JSON_TYPE,
      headers: lengthOf(one.bytes),
      reader: one.reader(),
    });
    expect(own.observed.body).toEqual(one.bytes);
    expect(own.observed.observation).toMatchObject({
      report: one.report,
      end: { how: "end", bytes: one.bytes.length },
    });
    expect(own.observed.isModified).toBe(false);
  });

  it.each(bodies.map((one) => [one.name, one] as const))(
    "beside, of no declared length: %s",
    async (_, one) => {
      const own = await watch(wholeBody(...rechunk(one.bytes, 10)), {
        type: JSON_TYPE,
        reader: one.reader(),
      });
      expect(text((await drain(own.observed.body)).bytes)).toBe(one.text);
      expect((await concluded(own)).report).toEqual(one.report);
    },
  );

  it("a JSON answer over 256 KiB is watched beside, and its usage read", async () => {
    const { text: small, report } = fixture("chat/json");
    const bytes = utf8(small.replace("Grüße", "x".repeat(MAX_BUFFERED_BYTES)));
    const own = await watch(wholeBody(...rechunk(bytes, 1, 50_000)), {
      type: JSON_TYPE,
      headers: lengthOf(bytes),
    });
    expect(own.observed.body).toBeInstanceOf(ReadableStream);
    expect((await drain(own.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(own)).toMatchObject({ outcome: "completed", usageState: "final", report });
  });

  it.each(["audio/mpeg", "text/html", "application/octet-stream"])("%s passes unread", async (type) => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 31) % 256);
    for (const headers of [{}, lengthOf(bytes)]) {
      const own = await watch(wholeBody(...rechunk(bytes, 3, 5000)), { type, headers });
      expect((await drain(own.observed.body)).bytes).toEqual(bytes);
      expect(await concluded(own)).toMatchObject({
        outcome: "completed",
        usageState: "unknown",
        end: { how: "end", bytes: bytes.length },
      });
    }
  });

  it("G11 JSON though a stream was asked for: nothing is taken out, and the usage is read", async () => {
    const { bytes, report } = fixture("chat/json");
    const own = await watch(wholeBody(bytes), { type: JSON_TYPE, options: { isInjectedUsage: isUsageOnly } });
    expect((await drain(own.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(own)).toMatchObject({ outcome: "completed", report });
    expect(own.observed.isModified).toBe(false);
  });

  it("an event stream of a declared length keeps it", async () => {
    const { bytes } = fixture("chat/plain");
    const own = await watch(wholeBody(bytes), { headers: lengthOf(bytes) });
    expect((await drain(own.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(own)).toMatchObject({ outcome: "completed" });
  });

  it("a body that is decoded on its way has another length than the one declared", async () => {
    const { bytes } = fixture("chat/plain");
    const own = await watch(wholeBody(bytes), {
      headers: { "content-length": "7", "content-encoding": "gzip" },
    });
    expect((await drain(own.observed.body)).bytes).toEqual(bytes);
    expect(own.observed.isModified).toBe(true);
    expect(await concluded(own)).toMatchObject({ outcome: "completed" });
  });

  it.each(["zstd", "deflate", "gzip, br"])(
    "G12 an answer in %s, which nothing here decodes, passes unread",
    async (encoding) => {
      const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 97) % 256);
      for (const headers of [{}, lengthOf(bytes)]) {
        const own = await watch(wholeBody(bytes), { headers: { ...headers, "content-encoding": encoding } });
        expect((await drain(own.observed.body)).bytes).toEqual(bytes);
        expect(own.observed.isModified).toBe(false);
        expect(await concluded(own)).toMatchObject({ outcome: "completed", usageState: "unknown" });
      }
    },
  );

  it.each([204, 304])("G8 a %i without a body is concluded at once", async (status) => {
    const { observed } = await watch(null, { status, type: "" });
    expect(observed).toMatchObject({
      body: null,
      isModified: false,
      observation: {
        outcome: "completed",
        usageState: "unknown",
        end: { how: "end", bytes: 0, firstByteAt: null, truncated: false },
      },
    });
  });

  it.each([
    ["an event stream", SSE],
    ["JSON over 256 KiB", JSON_TYPE],
  ])("an error that is in memory already, %s, is observed like any other", async (_, type) => {
    // As an error answer is once it has been looked through for the gateway's key.
    const bytes = utf8(" ".repeat(MAX_BUFFERED_BYTES + 1));
    const own = await watch(bytes, { type, headers: lengthOf(bytes), status: 429 });
    expect((await within(drain(own.observed.body), "the client's bytes")).bytes).toEqual(bytes);
    expect(await concluded(own)).toMatchObject({ outcome: "upstream_error" });
  });
});

describe("I4 an end without its last blank line", () => {
  it.each(WAYS)("%s: the client gets what there was, and no line more", async (_, given) => {
    for (const end of ["data: [DONE]", "data: [DONE]\n", "data: {", ": ping", "\n", "\r"]) {
      const own = await watch(wholeBody(`${ONE}${end}`), given);
      expect(text((await drain(own.observed.body)).bytes)).toBe(ONE + end);
      const { outcome } = await concluded(own);
      expect(outcome).toBe(end.includes("[DONE]") ? "completed" : "truncated");
    }
  });
});

describe("events arrive singly and at once", () => {
  it.each(WAYS)("%s: each event can be read before the next is sent", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, given);
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
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
    expect(await concluded(own)).toMatchObject({ outcome: "completed" });
  });

  it.each(WAYS)("%s: byte by byte the bytes are the same", async (_, given) => {
    const { bytes, text: whole } = fixture("chat/usage-beside-content");
    const own = await watch(wholeBody(...byteByByte(bytes)), given);
    expect(text((await drain(own.observed.body)).bytes)).toBe(whole);
    expect((await concluded(own)).end.bytes).toBe(bytes.length);
  });
});

describe("how an answer ended", () => {
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
    // The stream had said that it was over before its connection broke or fell silent.
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
  ] as const)("%s of %s, %j, status %i: %s", (ending, kind, report, status, outcome) => {
    const how = ending.replace(", capped", "") as "end" | "error" | "idle" | "client";
    const capped = ending.endsWith("capped");
    expect(decideOutcome({ how, truncated: capped }, kind, report, status)).toBe(outcome);
  });

  const usage = {
    input_tokens: 1,
    output_tokens: 2,
    cache_read_input_tokens: null,
    cache_write_input_tokens: null,
    extras: {},
    invalid: false,
  };

  const closing = (told: object): string => usageState({ usage: { ...usage, ...told }, usageFinal: true });

  it("usage is final, partial or unknown", () => {
    expect(usageState({ usage, usageFinal: true })).toBe("final");
    expect(usageState({ usage, usageFinal: false })).toBe("partial");
    expect(usageState({ usage: null, usageFinal: false })).toBe("unknown");
  });

  it("G21 closing figures of which one is missing or was refused are not final, and none at all are unknown", () => {
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

  it.each(WAYS)(
    "G5 %s: a clean end without the terminal event is truncated, and none is invented",
    async (_, given) => {
      const own = await watch(wholeBody(ONE, RUNNING), given);
      expect(text((await drain(own.observed.body)).bytes)).toBe(ONE + RUNNING);
      expect(await concluded(own)).toMatchObject({
        outcome: "truncated",
        usageState: "partial",
        report: { usage: { input_tokens: 5, output_tokens: 2 } },
      });
    },
  );

  it.each(WAYS)(
    "G4 %s: a reset in mid-stream is truncated, with what was seen, and the client's stream breaks",
    async (_, given) => {
      const upstream = upstreamBody();
      const own = await watch(upstream, given);
      const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING);
      expect(text((await reader.read()).value ?? new Uint8Array())).toBe(ONE + RUNNING);
      upstream.fail();
      await expect(reader.read()).rejects.toBeDefined();
      expect(await concluded(own)).toMatchObject({
        outcome: "truncated",
        usageState: "partial",
        report: { id: "chatcmpl-1", usage: { input_tokens: 5, output_tokens: 2 } },
        end: { how: "error", bytes: utf8(ONE + RUNNING).length },
      });
    },
  );

  it.each(WAYS)("I4 G4 %s: what came of an event before a reset reaches the client", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, given);
    const client = drain(own.observed.body);
    upstream.send(`${ONE}data: {"choices":[{"del`);
    await until(upstream.isTaken, "the bytes being taken");
    upstream.fail();
    const { bytes, broken } = await client;
    expect(broken).toBe(true);
    expect(text(bytes)).toBe(`${ONE}data: {"choices":[{"del`);
    expect(await concluded(own)).toMatchObject({ outcome: "truncated" });
  });

  it("G6 JSON shorter than its content-length is truncated: the client gets what there was, then the break", async () => {
    const { bytes } = fixture("chat/json");
    const own = await watch(wholeBody(bytes.subarray(0, 100)), {
      type: JSON_TYPE,
      headers: lengthOf(bytes),
    });
    const got = await drain(own.observed.body);
    expect(got).toEqual({ bytes: bytes.subarray(0, 100), broken: true });
    expect(own.observed.observation).toMatchObject({ outcome: "truncated", usageState: "unknown" });
  });

  it("G6 an event stream shorter than its content-length is truncated", async () => {
    const own = await watch(wholeBody(ONE), { headers: { "content-length": "5000" } });
    const got = await drain(own.observed.body);
    expect(text(got.bytes)).toBe(ONE);
    expect(got.broken).toBe(true);
    expect(await concluded(own)).toMatchObject({ outcome: "truncated" });
  });

  it("JSON that breaks off is truncated, or an upstream_error where the status says so", async () => {
    for (const [status, outcome] of [
      [200, "truncated"],
      [500, "upstream_error"],
    ] as const) {
      const upstream = upstreamBody();
      upstream.fail();
      const headers = { "content-length": "50" };
      const own = await watch(upstream, { type: JSON_TYPE, headers, status });
      expect((await drain(own.observed.body)).broken).toBe(true);
      expect(own.observed.observation).toMatchObject({ outcome });
    }
  });

  it.each([400, 401, 429, 500, 529])(
    "G7 a %i is an upstream_error with the provider's error type",
    async (status) => {
      const { bytes, report } = fixture("messages/json-error");
      const own = await watch(wholeBody(bytes), {
        type: JSON_TYPE,
        headers: lengthOf(bytes),
        status,
        reader: fixture("messages/json-error").reader(),
      });
      expect(own.observed.body).toEqual(bytes);
      expect(own.observed.observation).toMatchObject({ outcome: "upstream_error", report });
    },
  );

  it("G26 an error event inside a 200 is an upstream_error", async () => {
    const one = fixture("messages/error-inside");
    const own = await watch(wholeBody(one.bytes), { reader: one.reader() });
    await drain(own.observed.body);
    expect(await concluded(own)).toMatchObject({
      outcome: "upstream_error",
      usageState: "partial",
      report: { error: "overloaded_error" },
    });
  });

  it("a terminal event too large to be read is an end all the same: it is known by its name", async () => {
    const one = fixture("responses/completed");
    const [last = "", ...before] = one.text.split(/(?<=\n\n)/).toReversed();
    // As where an image was made: the whole response comes once more with the end, image and all.
    const large = last.replace('"output":[]', `"output":["${"A".repeat(3 * 1024 * 1024)}"]`);
    const own = await watch(wholeBody(before.toReversed().join(""), large), { reader: one.reader() });
    expect((await drain(own.observed.body)).broken).toBe(false);
    expect(await concluded(own)).toMatchObject({ outcome: "completed", report: { id: one.report.id } });
  });

  it("a reset behind the terminal event is no loss: the stream had said that it was over", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream);
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + DONE);
    await reader.read();
    upstream.fail();
    await expect(reader.read()).rejects.toBeDefined();
    expect(await concluded(own)).toMatchObject({ outcome: "completed", report: { ended: true } });
  });

  it("G4 much that came at once before a reset is still the upstream's break, not the client's leaving", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream);
    const client = drain(own.observed.body);
    for (let at = 0; at < 40; at += 1) upstream.send(`data: ${"x".repeat(16 * 1024)}\n\n`);
    upstream.fail();
    expect((await client).broken).toBe(true);
    expect(await concluded(own)).toMatchObject({ outcome: "truncated" });
  });
});

describe("the cap on what is read beside the client's stream", () => {
  const events = Array.from({ length: 200 }, (_, at) => `data: {"choices":[],"at":${at}}\n\n`).join("");
  const tail = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: [DONE]\n\n';

  it("past it the client still gets all, and the conclusion says that nobody looked for the end", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream, { options: { capBytes: 1000 } });
    const client = drain(own.observed.body);
    upstream.send(events);
    await until(upstream.isTaken, "the bytes being taken");
    upstream.send(tail);
    upstream.end();
    expect(text((await client).bytes)).toBe(events + tail);
    const { outcome, usageState: state, end: ending } = await concluded(own);
    expect({ outcome, state, how: ending.how, truncated: ending.truncated }).toEqual({
      outcome: "completed",
      state: "unknown",
      how: "end",
      truncated: true,
    });
    expect(ending.bytes).toBeGreaterThan(1000);
  });

  it("an answer of the cap's very length is read to its end", async () => {
    const bytes = utf8(events + tail);
    const own = await watch(wholeBody(bytes), { options: { capBytes: bytes.length } });
    await drain(own.observed.body);
    expect(await concluded(own)).toMatchObject({ usageState: "final", end: { how: "end" } });
  });

  it("capped JSON is no broken JSON", async () => {
    const bytes = utf8(`{"x":"${"y".repeat(5000)}"}`);
    const own = await watch(wholeBody(bytes), { type: JSON_TYPE, options: { capBytes: 100 } });
    expect((await drain(own.observed.body)).bytes).toEqual(bytes);
    expect(await concluded(own)).toMatchObject({ outcome: "completed", usageState: "unknown" });
  });

  it("an upstream that breaks off past it is truncated", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream, { options: { capBytes: 10 } });
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(events);
    await reader.read();
    upstream.fail();
    await expect(reader.read()).rejects.toBeDefined();
    expect(await concluded(own)).toMatchObject({ outcome: "truncated" });
  });

  it("a client that leaves past it is gone, and so is the upstream", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream, { options: { capBytes: 10 } });
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(events);
    await reader.read();
    own.client.abort();
    expect(await concluded(own)).toMatchObject({ outcome: "cancelled" });
    expect(own.abort.signal.aborted).toBe(true);
  });
});

describe("G23 a client that leaves", () => {
  it.each(WAYS)("%s: by its signal the upstream is aborted, and what was seen is told", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, given);
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + RUNNING);
    await reader.read();
    expect(own.abort.signal.aborted).toBe(false);
    own.client.abort();
    expect(own.abort.signal.aborted).toBe(true);
    expect(await concluded(own)).toMatchObject({
      outcome: "cancelled",
      usageState: "partial",
      report: { usage: { input_tokens: 5, output_tokens: 2 } },
      end: { how: "client" },
    });
  });

  it.each(WAYS)("%s: by closing its stream alone, as soon as there is more to write", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, given);
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE);
    await reader.read();
    await reader.cancel();
    upstream.send(RUNNING);
    expect(await concluded(own)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    expect(own.abort.signal.aborted).toBe(true);
  });

  it.each(WAYS)("%s: without a signal, while the upstream never lets up", async (_, given) => {
    const word = utf8(ONE.repeat(20));
    const endless = new ReadableStream({ type: "bytes", pull: (to) => to.enqueue(word.slice()) });
    // Past the cap nobody looks any more; which comes first, the cap or the client's leaving, is not for chance to say.
    const options = { ...("options" in given ? given.options : {}), capBytes: Number.MAX_SAFE_INTEGER };
    const own = await watch(endless, { ...given, options });
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    const { outcome, end: ending } = await concluded(own);
    expect([outcome, ending.how, ending.truncated]).toEqual(["cancelled", "client", false]);
    expect(own.abort.signal.aborted).toBe(true);
  });

  it.each(WAYS)("%s: before the first byte", async (_, given) => {
    const own = await watch(upstreamBody(), given);
    own.client.abort();
    expect(own.abort.signal.aborted).toBe(true);
    expect(await concluded(own)).toMatchObject({
      outcome: "cancelled",
      usageState: "unknown",
      end: { how: "client", bytes: 0, firstByteAt: null, truncated: false },
    });
  });

  it.each(WAYS)("%s: before it was looked at", async (_, given) => {
    const gone = AbortSignal.abort();
    const own = await watch(upstreamBody(), {
      ...given,
      options: { ...("options" in given ? given.options : {}), clientSignal: gone },
    });
    expect(own.abort.signal.aborted).toBe(true);
    expect(await concluded(own)).toMatchObject({ outcome: "cancelled" });
  });

  it("while a small answer is read whole", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    upstream.send('{"id":');
    const watching = watch(upstream, {
      type: JSON_TYPE,
      headers: { "content-length": "100" },
      options: { clientSignal: client.signal },
    });
    client.abort();
    const { observed, abort } = await watching;
    expect(abort.signal.aborted).toBe(true);
    expect(observed.observation).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
  });

  it.each(WAYS)(
    "%s: behind the last byte and before its end it is cancelled, with the final usage",
    async (_, given) => {
      const upstream = upstreamBody();
      const own = await watch(upstream, given);
      const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING + DONE);
      await reader.read();
      own.client.abort();
      expect(await concluded(own)).toMatchObject({ outcome: "cancelled", usageState: "final" });
    },
  );

  it.each(WAYS)("G27 %s: in the same tick as the end there is one conclusion", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, given);
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + RUNNING + DONE);
    await reader.read();
    upstream.end();
    own.client.abort();
    const { outcome, usageState: state } = await concluded(own);
    expect(["completed", "cancelled"]).toContain(outcome);
    expect(state).toBe("final");
  });

  it.each(WAYS)("%s: after the end it ends nothing more", async (_, given) => {
    const own = await watch(wholeBody(ONE, DONE), given);
    await drain(own.observed.body);
    expect(await concluded(own)).toMatchObject({ outcome: "completed" });
    own.client.abort();
    expect(own.abort.signal.aborted).toBe(false);
  });

  it("with all that the upstream sent still unread, it did not get its answer", async () => {
    const upstream = upstreamBody();
    const own = await watch(upstream);
    for (let at = 0; at < 20; at += 1) upstream.send(`data: ${"x".repeat(16 * 1024)}\n\n`);
    upstream.send(DONE);
    upstream.end();
    await until(upstream.isTaken, "the bytes being taken");
    await (own.observed.body as ReadableStream).cancel();
    expect(await concluded(own)).toMatchObject({ outcome: "cancelled" });
  });

  // A runtime need not tell the pipe of it, or not soon, and then nobody reads and nobody cancels.
  describe("of whom only the signal tells", () => {
    it.each(WAYS)("%s: while it leaves what came unread", async (_, given) => {
      const upstream = upstreamBody();
      const own = await watch(upstream, given);
      upstream.send(ONE + RUNNING);
      await until(upstream.isTaken, "the bytes being taken");
      own.client.abort();
      expect(await concluded(own)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
      expect(own.abort.signal.aborted).toBe(true);
    });

    it.each(WAYS)("%s: while the whole answer waits for it", async (_, given) => {
      const upstream = upstreamBody();
      const own = await watch(upstream, given);
      upstream.send(ONE + RUNNING + DONE);
      upstream.end();
      await until(upstream.isTaken, "the bytes being taken");
      own.client.abort();
      expect(await concluded(own)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    });

    it("past what is observed", async () => {
      const upstream = upstreamBody();
      const own = await watch(upstream, { options: { capBytes: 100 } });
      upstream.send(ONE.repeat(10));
      await until(upstream.isTaken, "the bytes being taken");
      own.client.abort();
      expect(await concluded(own)).toMatchObject({
        outcome: "cancelled",
        end: { how: "client", truncated: true },
      });
    });

    it("as it was about to wait for its end", async () => {
      const upstream = upstreamBody();
      const own = await watch(upstream);
      upstream.send(ONE + DONE);
      upstream.end();
      own.client.abort();
      expect(await concluded(own)).toMatchObject({ outcome: "cancelled", end: { how: "client" } });
    });
  });
});

describe("the idle deadline", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const IDLE = 1000;
  const idle = (given: Given): Given => ({ ...given, options: { ...given.options, idleMs: IDLE } });

  it.each(WAYS)(
    "G3 %s: silence ends the upstream, and it is stalled with what was seen",
    async (_, given) => {
      const upstream = upstreamBody();
      const own = await watch(upstream, idle(given));
      const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
      upstream.send(ONE + RUNNING);
      await reader.read();
      await vi.advanceTimersByTimeAsync(IDLE - 200);
      expect(own.abort.signal.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(IDLE);
      expect(own.abort.signal.aborted).toBe(true);
      await expect(reader.read()).rejects.toBeDefined();
      expect(await own.observed.observation).toMatchObject({
        outcome: "stalled",
        usageState: "partial",
        end: { how: "idle" },
      });
    },
  );

  it.each(WAYS)("G3 %s: silence from the first is stalled too", async (_, given) => {
    const own = await watch(upstreamBody(), idle(given));
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(own.abort.signal.aborted).toBe(true);
    expect(await own.observed.observation).toMatchObject({ outcome: "stalled", end: { bytes: 0 } });
  });

  it("G3 a small answer that is read whole can stall as well", async () => {
    const upstream = upstreamBody();
    upstream.send("{");
    const watching = watch(upstream, idle({ type: JSON_TYPE, headers: { "content-length": "50" } }));
    await vi.advanceTimersByTimeAsync(2 * IDLE);
    const { observed, abort } = await watching;
    expect(abort.signal.aborted).toBe(true);
    expect(observed.observation).toMatchObject({ outcome: "stalled" });
    const client = drain(observed.body);
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(await client).toEqual({ bytes: utf8("{"), broken: true });
  });

  it.each(WAYS)("G17 %s: comments keep it open for as long as they come", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, idle(given));
    const client = drain(own.observed.body);
    for (let at = 0; at < 30; at += 1) {
      upstream.send(": ping\n\n");
      await vi.advanceTimersByTimeAsync(IDLE - 200);
    }
    expect(own.abort.signal.aborted).toBe(false);
    upstream.send(ONE + DONE);
    upstream.end();
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(text((await client).bytes)).toBe(`${": ping\n\n".repeat(30)}${ONE}${DONE}`);
    expect(await own.observed.observation).toMatchObject({ outcome: "completed" });
  });

  it.each(WAYS)("G24 %s: a client that is slow to read is not the upstream's silence", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, idle(given));
    const events = Array.from({ length: 40 }, (__, at) => `data: ${at} ${"x".repeat(16 * 1024)}\n\n`);
    for (const event of events) upstream.send(event);
    upstream.send(DONE);
    upstream.end();
    await vi.advanceTimersByTimeAsync(20 * IDLE);
    expect(own.abort.signal.aborted).toBe(false);
    const client = drain(own.observed.body);
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(text((await client).bytes)).toBe(events.join("") + DONE);
    expect(await own.observed.observation).toMatchObject({ outcome: "completed" });
  });

  it.each(WAYS)("G24 %s: nor is one that takes its time over the end of a whole answer", async (_, given) => {
    const upstream = upstreamBody();
    const own = await watch(upstream, idle(given));
    const reader = (own.observed.body as ReadableStream<Uint8Array>).getReader();
    upstream.send(ONE + DONE);
    upstream.end();
    await reader.read();
    await vi.advanceTimersByTimeAsync(20 * IDLE);
    expect(own.abort.signal.aborted).toBe(false);
    while (!(await reader.read()).done);
    await vi.advanceTimersByTimeAsync(IDLE);
    expect(await own.observed.observation).toMatchObject({ outcome: "completed" });
  });

  it.each(WAYS)("%s: no timer is left behind", async (_, given) => {
    const own = await watch(wholeBody(ONE, DONE), idle(given));
    const client = drain(own.observed.body);
    await vi.advanceTimersByTimeAsync(200);
    await client;
    await own.observed.observation;
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("the first byte's time is the clock's when it came, and there is none without a byte", async () => {
    vi.setSystemTime(1_000_000);
    const upstream = upstreamBody();
    const own = await watch(upstream, { options: { isInjectedUsage: isUsageOnly } });
    const client = drain(own.observed.body);
    await vi.advanceTimersByTimeAsync(250);
    upstream.send(ONE);
    await vi.advanceTimersByTimeAsync(250);
    upstream.send(DONE);
    upstream.end();
    await client;
    const { end: ending } = await (own.observed.observation as Promise<Observation>);
    expect(ending.firstByteAt).toBe(1_000_250);
  });
});
