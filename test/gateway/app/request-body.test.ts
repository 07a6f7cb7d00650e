import { describe, expect, it } from "vitest";
import { readBody, rejectBody, rejectEncodedBody } from "../../../src/gateway/app/request-body.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { accepted, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";

const TARGET = "https://gateway.example/openai/v1/chat/completions";

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request(TARGET, { method: "POST", body, headers });
}

/** Bytes of every value, in an order that is not valid UTF-8. */
function binary(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 167 + 41) % 256);
}

const MIB = 1024 * 1024;

describe("F1 a body", () => {
  it.each([0, 1, 1000, MIB])("F1 of %i bytes and a declared length is read unchanged", async (length) => {
    const bytes = binary(length);
    const read = accepted(await readBody(post(bytes, { "content-length": String(length) }), MIB));
    expect(read).toEqual(bytes);
  });

  it.each([0, 1, MIB])("F1 of %i bytes in chunks is read unchanged", async (length) => {
    const bytes = binary(length);
    const third = Math.ceil(length / 3);
    const body = wholeBody(
      ...[0, 1, 2]
        .map((at) => bytes.subarray(at * third, (at + 1) * third))
        .filter((part) => part.length > 0),
    );
    expect(accepted(await readBody(post(body), MIB))).toEqual(bytes);
  });

  it("F1 that is absent reads as empty", async () => {
    expect(accepted(await readBody(post(null), MIB))).toEqual(new Uint8Array());
    expect(accepted(await readBody(new Request(TARGET), MIB))).toEqual(new Uint8Array());
  });
});

describe("F2 a body over the limit", () => {
  it("F2 in chunks is counted, although a small Content-Length is sent beside Transfer-Encoding", async () => {
    // RFC 9112 §6.3. A Request constructed here cannot have both headers, so a fake replaces the one a socket brings.
    const both = new Headers({ "content-length": "10", "transfer-encoding": "chunked" });
    let pulled = 0;
    const body = new ReadableStream({
      pull: (to) => ((pulled += 1), pulled > 100 ? to.close() : to.enqueue(binary(10))),
    });
    const request = { headers: both, body, arrayBuffer: () => new Response(body).arrayBuffer() };
    const refusal = await readBody(request as unknown as Request, 25);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(pulled).toBeLessThan(10);
  });

  it("F2 is refused with 413 by its declared length, before a byte is read", async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(binary(10));
        },
      },
      { highWaterMark: 0 },
    );
    const refusal = await readBody(post(body, { "content-length": "11" }), 10);
    expect(reasonOf(refusal)).toBe("body_too_large");
    expect(statusOf(refusal)).toBe(413);
    expect(pulled).toBe(0);
  });

  it("F2 is refused by its real length where none is declared, and reading stops at the limit", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(binary(4));
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

  it("F2 is refused by its real length where the declared one is too small", async () => {
    expect(reasonOf(await readBody(post(binary(11), { "content-length": "5" }), 10))).toBe("body_too_large");
  });

  it("F2 is refused one byte over the limit, counted or declared", async () => {
    expect(reasonOf(await readBody(post(wholeBody(binary(11))), 10))).toBe("body_too_large");
    expect(reasonOf(await readBody(post(binary(11), { "content-length": "11" }), 10))).toBe("body_too_large");
  });

  it("F2 of exactly the limit is accepted", async () => {
    expect(accepted(await readBody(post(binary(10), { "content-length": "10" }), 10))).toEqual(binary(10));
    expect(accepted(await readBody(post(wholeBody(binary(10))), 10))).toEqual(binary(10));
  });

  it.each(["-1", "1e3", "0x10", "10, 10", "ten", "1.5", "9".repeat(16), " "])(
    "F2 is refused with 400 where Content-Length is %j, which is not a number",
    async (declared) => {
      // A Headers object would trim or join some of these values.
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
    const reading = readBody(post(body.stream), MIB);
    body.fail();
    const refusal = await reading;
    expect(reasonOf(refusal)).toBe("body_incomplete");
    expect(statusOf(refusal)).toBe(400);
  });

  it("causes body_incomplete also with a declared length", async () => {
    const body = upstreamBody();
    body.send(utf8('{"model":'));
    const reading = readBody(post(body.stream, { "content-length": "100" }), MIB);
    body.fail();
    expect(reasonOf(await reading)).toBe("body_incomplete");
  });
});

describe("F3 a compressed body", () => {
  it.each(["gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip", "x-gzip", "gzip;q=0"])(
    "F3 rejects Content-Encoding: %s with E415",
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

  it("F3 does not decompress a gzip body", async () => {
    const zipped = await new Response(
      new Response("x".repeat(100_000)).body?.pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    const read = accepted(await readBody(post(zipped, { "content-encoding": "gzip" }), MIB));
    expect(read).toEqual(zipped);
  });
});
