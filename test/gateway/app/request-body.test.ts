import { describe, expect, it } from "vitest";
import { readBody, rejectBody, rejectEncodedBody } from "../../../src/gateway/app/request-body.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { accepted, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";

const TARGET = "https://gateway.example/openai/v1/chat/completions";

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request(TARGET, { method: "POST", body, headers });
}

/** Bytes of every value, in an order that a decoder would choke on. */
function odd(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 167 + 41) % 256);
}

const MIB = 1024 * 1024;

describe("F1 a body", () => {
  it.each([0, 1, 1000, MIB])("F1 of %i bytes and a declared length is read as it came", async (length) => {
    const bytes = odd(length);
    const read = accepted(await readBody(post(bytes, { "content-length": String(length) }), MIB));
    expect(read).toEqual(bytes);
  });

  it.each([0, 1, MIB])("F1 of %i bytes in chunks is read as it came", async (length) => {
    const bytes = odd(length);
    const third = Math.ceil(length / 3);
    const body = wholeBody(
      ...[0, 1, 2]
        .map((at) => bytes.subarray(at * third, (at + 1) * third))
        .filter((part) => part.length > 0),
    );
    expect(accepted(await readBody(post(body), MIB))).toEqual(bytes);
  });

  it("F1 that is not there is empty", async () => {
    expect(accepted(await readBody(post(null), MIB))).toEqual(new Uint8Array());
    expect(accepted(await readBody(new Request(TARGET), MIB))).toEqual(new Uint8Array());
  });
});

describe("F2 a body over the limit", () => {
  it("F2 in chunks beside a small length is counted: where a runtime leaves both, the chunks count", async () => {
    // RFC 9112 §6.3. Headers of a Request made here cannot say it: this one stands in for what a socket brings.
    const both = new Headers({ "content-length": "10", "transfer-encoding": "chunked" });
    let pulled = 0;
    const body = new ReadableStream({
      pull: (to) => ((pulled += 1), pulled > 100 ? to.close() : to.enqueue(odd(10))),
    });
    const request = { headers: both, body, arrayBuffer: () => new Response(body).arrayBuffer() };
    const refusal = await readBody(request as unknown as Request, 25);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(pulled).toBeLessThan(10);
  });

  it("F2 is refused by its declared length, 413, before a byte is read", async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(odd(10));
        },
      },
      { highWaterMark: 0 },
    );
    const refusal = await readBody(post(body, { "content-length": "11" }), 10);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(statusOf(refusal)).toBe(413);
    expect(pulled).toBe(0);
  });

  it("F2 is refused by its real length where none is declared, and no more of it is read than it takes to know", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(odd(4));
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    expect(reasonOf(await readBody(post(body), 10))).toBe("body_too_large");
    expect(pulled).toBe(3);
    expect(cancelled).toBe(true);
  });

  it("F2 is refused by its real length where the declared one lies", async () => {
    expect(reasonOf(await readBody(post(odd(11), { "content-length": "5" }), 10))).toBe("body_too_large");
  });

  it("F2 one byte over the limit is over it, counted or declared", async () => {
    expect(reasonOf(await readBody(post(wholeBody(odd(11))), 10))).toBe("body_too_large");
    expect(reasonOf(await readBody(post(odd(11), { "content-length": "11" }), 10))).toBe("body_too_large");
  });

  it("F2 the limit itself is allowed", async () => {
    expect(accepted(await readBody(post(odd(10), { "content-length": "10" }), 10))).toEqual(odd(10));
    expect(accepted(await readBody(post(wholeBody(odd(10))), 10))).toEqual(odd(10));
  });

  it.each(["-1", "1e3", "0x10", "10, 10", "ten", "1.5", "9".repeat(16), " "])(
    "F2 a Content-Length of %j is no number: 400",
    async (declared) => {
      // A Headers object would trim or join some of these itself.
      const get = (name: string): string | null => (name === "content-length" ? declared : null);
      const refusal = await readBody(
        { headers: { get, has: (name: string) => get(name) !== null }, body: null } as unknown as Request,
        MIB,
      );
      expect(reasonOf(refusal)).toBe("body_incomplete");
      expect(statusOf(refusal)).toBe(400);
    },
  );
});

describe("a body where the method takes none", () => {
  it.each([
    ["a length", { "content-length": "1" }],
    ["chunks", { "transfer-encoding": "chunked" }],
    ["chunks of no length", { "transfer-encoding": "chunked", "content-length": "0" }],
  ])("is unexpected, 400: %s", (_, headers) => {
    const refusal = rejectBody(new Headers(headers));
    expect(reasonOf(refusal)).toBe("body_unexpected");
    expect(statusOf(refusal)).toBe(400);
  });

  it("no length, or 0, is no body", () => {
    expect(rejectBody(new Headers())).toBeNull();
    expect(rejectBody(new Headers({ "content-length": "0" }))).toBeNull();
  });
});

describe("F10 a client that stops sending", () => {
  it("is body_incomplete, 400, and no throw", async () => {
    const body = upstreamBody();
    body.send(utf8('{"model":'));
    const reading = readBody(post(body.stream), MIB);
    body.fail();
    const refusal = await reading;
    expect(reasonOf(refusal)).toBe("body_incomplete");
    expect(statusOf(refusal)).toBe(400);
  });

  it("with a declared length too", async () => {
    const body = upstreamBody();
    body.send(utf8('{"model":'));
    const reading = readBody(post(body.stream, { "content-length": "100" }), MIB);
    body.fail();
    expect(reasonOf(await reading)).toBe("body_incomplete");
  });
});

describe("F3 a compressed body", () => {
  it.each(["gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip", "x-gzip", "gzip;q=0"])(
    "F3 Content-Encoding: %s is E415",
    (encoding) => {
      const refusal = rejectEncodedBody(new Headers({ "content-encoding": encoding }));
      expect(refusal).toBeInstanceOf(Refusal);
      expect(reasonOf(refusal)).toBe("body_encoded");
      expect(statusOf(refusal)).toBe(415);
    },
  );

  it.each(["identity", "Identity", " identity ", ""])("Content-Encoding: %j says nothing", (encoding) => {
    expect(rejectEncodedBody(new Headers({ "content-encoding": encoding }))).toBeNull();
  });

  it("no Content-Encoding says nothing", () => {
    expect(rejectEncodedBody(new Headers())).toBeNull();
  });

  it("F3 a body that is gzip is never inflated", async () => {
    const zipped = await new Response(
      new Response("x".repeat(100_000)).body?.pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    const read = accepted(await readBody(post(zipped, { "content-encoding": "gzip" }), MIB));
    expect(read).toEqual(zipped);
  });
});
