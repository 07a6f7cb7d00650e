import { describe, expect, it } from "vitest";
import { createRequestBody, readBody } from "../../../src/gateway/app/read-body.ts";
import type { ReadOptions } from "../../../src/gateway/app/read-options.ts";
import { rejectBody, rejectEncodedBody } from "../../../src/gateway/app/request-body.ts";
import { ByteBudget, emptyHolding } from "../../../src/shared/byte-budget.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { manualClock, type ManualClock } from "../../support/in-workerd/manual-clock.ts";
import { accepted, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const TARGET = "https://gateway.example/openai/v1/chat/completions";

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request(TARGET, { method: "POST", body, headers });
}

/** Bytes of every value, in an order that is not valid UTF-8. */
function binary(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 167 + 41) % 256);
}

const MIB = 1024 * 1024;

type Reader = ReadOptions & { readonly maxRatio: number; readonly clock: ManualClock };

/** Reads bodies of at most `maxBytes`, by a clock that the test moves. */
function reader(maxBytes: number, budget?: ByteBudget): Reader {
  const clock = manualClock(1_000_000);
  return {
    maxBytes,
    maxRatio: 100,
    pace: { graceMs: 30_000, minRate: 16_384 },
    budget: budget ?? new ByteBudget(32 * MIB, clock.now),
    holding: emptyHolding(),
    neededMs: 600_000,
    now: clock.now,
    after: clock.after,
    clock,
  };
}

const read = (request: Request, maxBytes: number): Promise<Uint8Array | Refusal> =>
  readBody(request, reader(maxBytes));

describe("F1 a body", () => {
  it.each([0, 1, 1000, MIB])("F1 of %i bytes and a declared length is read unchanged", async (length) => {
    const bytes = binary(length);
    const request = post(bytes, { "content-length": String(length) });
    expect(accepted(await read(request, MIB))).toEqual(bytes);
  });

  it.each([0, 1, MIB])("F1 of %i bytes in chunks is read unchanged", async (length) => {
    const bytes = binary(length);
    const third = Math.ceil(length / 3);
    const body = wholeBody(
      ...[0, 1, 2]
        .map((at) => bytes.subarray(at * third, (at + 1) * third))
        .filter((part) => part.length > 0),
    );
    expect(accepted(await read(post(body), MIB))).toEqual(bytes);
  });

  it("F1 that is absent reads as empty", async () => {
    expect(accepted(await read(post(null), MIB))).toEqual(new Uint8Array());
    expect(accepted(await read(new Request(TARGET), MIB))).toEqual(new Uint8Array());
  });
});

describe("F2 a body over the limit", () => {
  it("F2 in chunks is counted, although a small Content-Length is sent beside Transfer-Encoding", async () => {
    // RFC 9112 §6.3. A Request constructed here cannot have both headers, so a fake replaces the one a socket brings.
    const both = new Headers({ "content-length": "10", "transfer-encoding": "chunked" });
    let pulled = 0;
    const body = new ReadableStream({
      type: "bytes",
      pull: (to: ReadableByteStreamController) => {
        pulled += 1;
        if (pulled > 100) to.close();
        else to.enqueue(binary(10));
      },
    });
    const request = { headers: both, body, arrayBuffer: () => new Response(body).arrayBuffer() };
    const refusal = await read(request as unknown as Request, 25);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(pulled).toBeLessThan(10);
  });

  it("F2 is refused with 413 by its declared length, before a byte is read", async () => {
    let pulled = 0;
    const body = new ReadableStream({
      type: "bytes",
      pull(controller: ReadableByteStreamController) {
        pulled += 1;
        controller.enqueue(binary(10));
      },
    });
    const refusal = await read(post(body, { "content-length": "11" }), 10);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(statusOf(refusal)).toBe(413);
    expect(pulled).toBe(0);
  });

  it("F2 is refused by its real length where none is declared, and reading stops at the limit", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream({
      type: "bytes",
      pull(controller: ReadableByteStreamController) {
        pulled += 1;
        controller.enqueue(binary(4));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect(reasonOf(await read(post(body), 10))).toBe("body_too_large");
    expect(pulled).toBe(3);
    expect(cancelled).toBe(true);
  });

  it("F2 is refused by its real length where the declared one is too small", async () => {
    expect(reasonOf(await read(post(binary(11), { "content-length": "5" }), 10))).toBe("body_too_large");
  });

  it("F2 is refused one byte over the limit, counted or declared", async () => {
    expect(reasonOf(await read(post(wholeBody(binary(11))), 10))).toBe("body_too_large");
    expect(reasonOf(await read(post(binary(11), { "content-length": "11" }), 10))).toBe("body_too_large");
  });

  it("F2 of exactly the limit is accepted", async () => {
    expect(accepted(await read(post(binary(10), { "content-length": "10" }), 10))).toEqual(binary(10));
    expect(accepted(await read(post(wholeBody(binary(10))), 10))).toEqual(binary(10));
  });

  it.each(["-1", "1e3", "0x10", "10, 10", "ten", "1.5", "9".repeat(16), " "])(
    "F2 is refused with 400 where Content-Length is %j, which is not a number",
    async (declared) => {
      // A Headers object would trim or join some of these values.
      const get = (name: string): string | null => (name === "content-length" ? declared : null);
      const refusal = await read(
        { headers: { get, has: (name: string) => get(name) !== null }, body: null } as unknown as Request,
        MIB,
      );
      expect(reasonOf(refusal)).toBe("body_incomplete");
      expect(statusOf(refusal)).toBe(400);
    },
  );
});

describe("rejectBody", () => {
  it.each([
    ["a Content-Length", { "content-length": "1" }],
    ["Transfer-Encoding", { "transfer-encoding": "chunked" }],
    ["Transfer-Encoding beside Content-Length: 0", { "transfer-encoding": "chunked", "content-length": "0" }],
  ])("refuses a body with 400 that is declared by %s", (_, headers) => {
    const refusal = rejectBody(new Headers(headers));
    expect(reasonOf(refusal)).toBe("body_unexpected");
    expect(statusOf(refusal)).toBe(400);
  });

  it("accepts a request without a length, or with 0", () => {
    expect(rejectBody(new Headers())).toBeNull();
    expect(rejectBody(new Headers({ "content-length": "0" }))).toBeNull();
  });
});

describe("F10 a client that disconnects while it sends", () => {
  it("causes body_incomplete, 400, and no exception", async () => {
    const body = upstreamBody();
    body.send(utf8('{"model":'));
    const reading = read(post(body.stream), MIB);
    body.fail();
    const refusal = await reading;
    expect(reasonOf(refusal)).toBe("body_incomplete");
    expect(statusOf(refusal)).toBe(400);
  });

  it("causes body_incomplete also with a declared length", async () => {
    const body = upstreamBody();
    body.send(utf8('{"model":'));
    const reading = read(post(body.stream, { "content-length": "100" }), MIB);
    body.fail();
    expect(reasonOf(await reading)).toBe("body_incomplete");
  });
});

describe("F3 a compressed body", () => {
  it.each(["gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip", "x-gzip", "gzip;q=0"])(
    "F3 rejects Content-Encoding: %s with E415 where no body is decoded",
    (encoding) => {
      const refusal = rejectEncodedBody(new Headers({ "content-encoding": encoding }));
      expect(refusal).toBeInstanceOf(Refusal);
      expect(reasonOf(refusal)).toBe("body_encoded");
      expect(statusOf(refusal)).toBe(415);
    },
  );

  it.each(["identity", "Identity", " identity ", ""])("accepts Content-Encoding: %j", (encoding) => {
    expect(rejectEncodedBody(new Headers({ "content-encoding": encoding }))).toBeNull();
  });

  it("accepts a body without Content-Encoding", () => {
    expect(rejectEncodedBody(new Headers())).toBeNull();
  });

  it("F3 is read as it is where nothing checks it", async () => {
    const zipped = await new Response(
      new Response("x".repeat(100_000)).body?.pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    const request = post(zipped, { "content-encoding": "gzip" });
    expect(accepted(await read(request, MIB))).toEqual(zipped);
  });
});

const declared = (length: number) => ({ "content-length": String(length) });

describe("Finding N2: a body that is sent slowly", () => {
  // The attack (Slowloris): connections that announce a body, send a part of it or nothing, and stop. Each used to hold
  // its bytes until the client closed it.
  it.each([
    ["a small declared length and no byte", post(upstreamBody().stream, declared(100)), 30_006],
    ["a large declared length and no byte", post(upstreamBody().stream, declared(MIB)), 30_000],
    ["no declared length and no byte", post(upstreamBody().stream), 30_000],
  ])("F12 is refused with 408, with %s", async (_, request, afterMs) => {
    const options = reader(8 * MIB);
    const reading = readBody(request, options);
    options.clock.advance(Math.floor(afterMs));
    expect(options.clock.timers()).toBe(afterMs === 30_000 ? 0 : 1);
    options.clock.advance(1);
    const refusal = await within(reading, "the refusal");
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_timeout", 408]);
    expect(options.clock.timers()).toBe(0);
  });

  it.each([
    ["declared", declared(MIB)],
    ["chunked", {}],
  ])(
    "F12 is refused with 408 after 30 s of silence, though most of it came at once: %s",
    async (_, headers) => {
      const body = upstreamBody();
      const options = reader(8 * MIB);
      const reading = readBody(post(body.stream, headers), options);
      body.send(binary(900_000));
      await until(body.isConsumed, "the bytes to be read");
      await until(() => options.holding.bytes >= 524_288, "the bytes to be counted");
      options.clock.advance(60_000);
      const refusal = await within(reading, "the refusal");
      expect(reasonOf(refusal)).toBe("body_timeout");
      expect((refusal as Refusal).data.detail).toMatch(/^after \d{6} bytes$/);
    },
  );

  it.each([
    ["declared", declared(2 * MIB)],
    ["chunked", {}],
  ])("F12 is read completely where it keeps the minimum rate: %s", async (_, headers) => {
    const bytes = binary(2 * MIB);
    const body = upstreamBody();
    const options = reader(8 * MIB);
    const reading = readBody(post(body.stream, headers), options);
    for (let at = 0; at < bytes.length; at += 16_384) {
      options.clock.advance(1000);
      body.send(bytes.subarray(at, at + 16_384));
      // The reader takes a complete piece in a later turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    if (!("content-length" in headers)) body.end();
    expect(accepted(await within(reading, "the body"))).toEqual(bytes);
    expect(options.clock.now()).toBe(1_000_000 + 128_000);
  });
});

describe("the memory of bodies", () => {
  it.each([
    ["a small declared one", declared(100)],
    ["a large declared one", declared(MIB)],
    ["a chunked one", {}],
  ])("F13 is counted by what is held once %s is read, and freed by a release", async (_, headers) => {
    const size = Number((headers as Record<string, string>)["content-length"] ?? 70_000);
    const options = reader(8 * MIB);
    accepted(await readBody(post(wholeBody(binary(size)), headers), options));
    expect([options.holding.bytes, options.budget.held]).toEqual([size, size]);
    options.budget.release(options.holding);
    expect(options.budget.held).toBe(0);
  });

  it("F13 is not counted where a small body arrives after its refusal", async () => {
    const body = upstreamBody();
    const options = reader(MIB);
    const reading = readBody(post(body.stream, declared(100)), options);
    options.clock.advance(60_000);
    expect(reasonOf(await within(reading, "the refusal"))).toBe("body_timeout");
    options.budget.release(options.holding);
    body.send(binary(100));
    body.end();
    await until(body.isConsumed, "the late bytes to be read");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(options.budget.held).toBe(0);
  });

  // The attack: sixteen connections announce 8 MiB and send nothing. Reserved as announced, they would lock out all others.
  it("F13 is not used up by bodies that are announced and not sent", async () => {
    const { clock, budget } = reader(8 * MIB);
    const silent = Array.from({ length: 200 }, (_, at) => {
      const request = post(upstreamBody().stream, declared(at % 2 === 0 ? 8 * MIB : 256 * 1024));
      return { ...reader(8 * MIB, budget), now: clock.now, after: clock.after, request };
    });
    const reading = silent.map(({ request, ...options }) => readBody(request, options));
    expect(budget.held).toBeLessThan(6 * MIB);
    const bytes = binary(8 * MIB);
    const full = { ...reader(8 * MIB, budget), now: clock.now, after: clock.after };
    expect(accepted(await readBody(post(wholeBody(bytes), declared(bytes.length)), full)).length).toBe(
      bytes.length,
    );
    clock.advance(60_000);
    for (const refusal of await Promise.all(reading)) expect(reasonOf(refusal)).toBe("body_timeout");
  });

  it.each([
    ["declared", declared(MIB)],
    ["chunked", {}],
  ])("F13 is refused with 503 while the body arrives, once the budget is used up: %s", async (_, headers) => {
    const { clock, ...options } = reader(8 * MIB, new ByteBudget(600_000, () => 0));
    const refusal = await readBody(post(wholeBody(binary(MIB)), headers), options);
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["gateway_busy", 503]);
    expect(options.holding.bytes).toBeLessThanOrEqual(600_000);
    expect(clock.timers()).toBe(0);
  });

  it("F13 is refused with 503 for a small body too where nothing is left", async () => {
    const budget = new ByteBudget(1000, () => 0);
    budget.resize(emptyHolding(), 1000, 1);
    const refusal = await readBody(post(binary(10), declared(10)), reader(MIB, budget));
    expect(reasonOf(refusal)).toBe("gateway_busy");
  });
});

describe("a request's body", () => {
  it("is read once, hashed before it is taken, and not kept afterwards", async () => {
    const bytes = binary(1000);
    const request = post(bytes, declared(1000));
    const body = createRequestBody(request, request.headers, reader(MIB), () => null);
    expect(body.isRead()).toBe(false);
    const sha256 = await sha256Hex(bytes);
    expect(await body.sha256("decoded")).toBe(sha256);
    expect(await body.sha256("decoded")).toBe(sha256);
    expect(body.isRead()).toBe(true);
    expect(accepted(await body.take())).toEqual(bytes);
    expect(body.isRead()).toBe(true);
    expect(reasonOf(await body.take())).toBe("internal");
  });

  it("is not read where the check refuses it", async () => {
    const request = post(binary(10), declared(10));
    const body = createRequestBody(request, request.headers, reader(MIB), () => new Refusal("body_encoded"));
    expect(reasonOf(await body.take())).toBe("body_encoded");
    expect(request.bodyUsed).toBe(false);
  });
});
