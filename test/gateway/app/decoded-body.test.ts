/** Compressed request bodies: decoded within their bounds, and nothing but one complete stream. */
import { describe, expect, it } from "vitest";
import { requestCoding, type Coding } from "../../../src/gateway/app/decode/coding.ts";
import { readDecoded, RATIO_FROM_BYTES } from "../../../src/gateway/app/decode/read-decoded.ts";
import { loadZlib } from "../../../src/gateway/app/decode/zlib.ts";
import { ByteBudget, emptyHolding } from "../../../src/shared/byte-budget.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import { manualClock } from "../../support/in-workerd/manual-clock.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { accepted, join as joinParts, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";
import { until } from "../../support/in-workerd/waiting.ts";

type Encoder = (bytes: Uint8Array, options?: object) => Uint8Array;
const zlib = (await import("node:zlib")) as unknown as Record<string, Encoder> & {
  readonly constants: Record<string, number>;
};
const encode = (name: string, bytes: Uint8Array, options?: object): Uint8Array =>
  new Uint8Array(zlib[`${name}Sync`]?.(bytes, options) ?? []);

const MIB = 1024 * 1024;
const ENCODERS: readonly (readonly [coding: Coding, encoder: string])[] = [
  ["gzip", "gzip"],
  ["deflate", "deflate"],
  ["deflate", "deflateRaw"],
  ["br", "brotliCompress"],
  ["zstd", "zstdCompress"],
];

function setUp(pieceBytes = 64 * 1024) {
  const clock = manualClock(1_000_000);
  const budget = new ByteBudget(64 * MIB, clock.now);
  return {
    clock,
    maxBytes: 8 * MIB,
    maxRatio: 100,
    // The reader's pieces have a quarter of the grace at this rate.
    pace: { graceMs: 4000, minRate: pieceBytes },
    budget,
    holding: emptyHolding(),
    neededMs: 600_000,
    now: clock.now,
    after: clock.after,
    loadZlib,
  };
}

const TARGET = "https://gateway.example/openai/v1/chat/completions";

const decode = (
  coding: Coding,
  bytes: BodyInit,
  options: Partial<ReturnType<typeof setUp>> = {},
): Promise<Uint8Array | Refusal> =>
  readDecoded(new Request(TARGET, { method: "POST", body: bytes }), coding, { ...setUp(), ...options });

const join = (...parts: readonly Uint8Array[]): Uint8Array => joinParts(parts);

/** Compresses about as well as a conversation. */
const text = (size: number): Uint8Array =>
  utf8(
    JSON.stringify({
      model: "gpt-4o",
      input: Array.from({ length: size / 20 }, (_, at) => `${Math.sin(at)}`),
    }),
  );
const PLAIN = text(4000);

describe("the coding of a request", () => {
  it.each([
    [undefined, null],
    ["", null],
    ["Identity", null],
    [" gzip ", "gzip"],
    ["GZIP", "gzip"],
    ["x-gzip", "gzip"],
    ["deflate", "deflate"],
    ["br", "br"],
    ["zstd", "zstd"],
    ["gzip, gzip", "unsupported"],
    ["identity, gzip", "unsupported"],
    ["gzip,", "unsupported"],
    ["gzip;q=1", "unsupported"],
    ["compress", "unsupported"],
    ["dcz", "unsupported"],
    ["aws-chunked", "unsupported"],
    ["constructor", "unsupported"],
  ])("reads %j as %j", (value, expected) => {
    expect(requestCoding(new Headers(value === undefined ? {} : { "content-encoding": value }))).toBe(
      expected,
    );
  });
});

describe.each(ENCODERS)("F3 a body in %s (%s)", (coding, encoder) => {
  const encoded = encode(encoder, PLAIN);

  it("is decoded at every size of the pieces that it is read in", async () => {
    for (const pieceBytes of [1, 2, 3, 7, 64, 1000, 64 * 1024])
      expect(accepted(await decode(coding, encoded, setUp(pieceBytes)))).toEqual(PLAIN);
  });

  it("is decoded when it is empty or has one byte", async () => {
    for (const bytes of [new Uint8Array(), utf8("{")])
      expect(accepted(await decode(coding, encode(encoder, bytes)))).toEqual(bytes);
  });

  it("is rejected with 400 when anything stands behind its end", async () => {
    // The attack: a reader that goes on behind the first stream reads another body than the gateway checked.
    for (const behind of [utf8("x"), new Uint8Array(8), encoded, encode(encoder, new Uint8Array())]) {
      for (const pieceBytes of [1, encoded.byteLength, 64 * 1024]) {
        const refusal = await decode(coding, join(encoded, behind), setUp(pieceBytes));
        expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_encoding_invalid", 400]);
      }
    }
    const refusal = await decode(coding, join(encode(encoder, new Uint8Array()), encoded));
    expect(reasonOf(refusal)).toBe("body_encoding_invalid");
  });

  it("is rejected with 400 when it is truncated anywhere", async () => {
    for (let length = 0; length < encoded.byteLength; length += length < 40 ? 1 : 97)
      expect(reasonOf(await decode(coding, encoded.slice(0, length)))).toBe("body_encoding_invalid");
    for (let missing = 1; missing <= 12; missing++)
      expect(reasonOf(await decode(coding, encoded.slice(0, -missing)))).toBe("body_encoding_invalid");
  });

  it("is rejected with 400 when it is not in that coding", async () => {
    for (const bytes of [PLAIN, new Uint8Array(100), new Uint8Array(100).fill(255)])
      expect(statusOf(await decode(coding, bytes))).toBeGreaterThanOrEqual(400);
    expect(reasonOf(await decode(coding, PLAIN))).toBe("body_encoding_invalid");
  });

  it("is rejected with 413 past body_bytes, while it is decoded", async () => {
    const options = setUp();
    const size = PLAIN.byteLength;
    expect(accepted(await decode(coding, encoded, { maxBytes: size }))).toEqual(PLAIN);
    const refusal = await decode(coding, encoded, { ...options, maxBytes: size - 1 });
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_too_large", 413]);
    expect(options.budget.held).toBeLessThanOrEqual(2 * size);
  });

  it("is rejected with 413 past its ratio, before the rest of it is decoded", async () => {
    // The attack: a few kilobytes that decode to all the memory there is.
    const options = { ...setUp(), maxBytes: 100 * MIB };
    const refusal = await decode(coding, encode(encoder, new Uint8Array(48 * MIB)), options);
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_too_large", 413]);
    expect(options.budget.held).toBeLessThanOrEqual(32 * MIB);
  });

  it("may have any ratio up to 1 MiB", async () => {
    const blank = new Uint8Array(RATIO_FROM_BYTES).fill(32);
    expect(accepted(await decode(coding, encode(encoder, blank)))).toEqual(blank);
  });

  it("counts decoded in the isolate's budget, and is rejected with 503 past it", async () => {
    const options = setUp();
    expect(accepted(await decode(coding, encoded, options))).toEqual(PLAIN);
    expect(options.budget.held).toBe(PLAIN.byteLength);
    const small = { ...setUp(), budget: new ByteBudget(PLAIN.byteLength - 1, options.now) };
    expect(reasonOf(await decode(coding, encoded, small))).toBe("gateway_busy");
  });

  it("is rejected with 415 where the runtime cannot decode", async () => {
    const refusal = await decode(coding, encoded, {
      loadZlib: () => Promise.reject(new Error("no such module")),
    });
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_encoded", 415]);
  });

  it("is rejected with 408 when its sender falls silent, and with 400 when it breaks off", async () => {
    const options = setUp();
    const silent = upstreamBody();
    silent.send(encoded.slice(0, 20));
    const reading = decode(coding, silent.stream, options);
    await until(() => options.clock.timers() > 0, "the deadline");
    options.clock.advance(5000);
    expect(reasonOf(await reading)).toBe("body_timeout");
    const broken = upstreamBody();
    broken.send(encoded.slice(0, 20));
    const failing = decode(coding, broken.stream);
    broken.fail();
    expect(reasonOf(await failing)).toBe("body_incomplete");
  });
});

describe("F3 corrupt data", () => {
  it("is rejected in gzip when its checksum or its length is wrong", async () => {
    const encoded = encode("gzip", PLAIN);
    for (let at = encoded.byteLength - 8; at < encoded.byteLength; at++) {
      const changed = encoded.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(reasonOf(await decode("gzip", changed))).toBe("body_encoding_invalid");
    }
  });

  it("is decoded in gzip with every optional part of the header, at every split", async () => {
    const encoded = encode("gzip", PLAIN);
    const header = [0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3, 110, 0, 99, 0, 7, 7];
    const member = join(Uint8Array.from(header), encoded.slice(10));
    for (const pieceBytes of [1, 2, 5, 64 * 1024])
      expect(accepted(await decode("gzip", member, setUp(pieceBytes)))).toEqual(PLAIN);
  });

  it.each([
    ["a reserved flag", [0x1f, 0x8b, 8, 0x20]],
    ["another method", [0x1f, 0x8b, 7, 0]],
    ["a file name without an end", [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, ...Array<number>(5000).fill(97)]],
  ])("is rejected in gzip with %s", async (_, header) => {
    const encoded = encode("gzip", PLAIN);
    expect(reasonOf(await decode("gzip", join(Uint8Array.from(header), encoded.slice(header.length))))).toBe(
      "body_encoding_invalid",
    );
  });

  it("is rejected in deflate with a preset dictionary", async () => {
    const encoded = encode("deflate", PLAIN, { dictionary: utf8("gpt-4o") });
    expect(reasonOf(await decode("deflate", encoded))).toBe("body_encoding_invalid");
  });

  it("is rejected in zstd as a skippable frame, before or behind a frame", async () => {
    const skippable = Uint8Array.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    const encoded = encode("zstdCompress", PLAIN);
    for (const bytes of [join(skippable, encoded), join(encoded, skippable), skippable])
      expect(reasonOf(await decode("zstd", bytes))).toBe("body_encoding_invalid");
  });

  it("is rejected in zstd when its checksum is wrong", async () => {
    const { ZSTD_c_checksumFlag = 0 } = zlib.constants;
    const encoded = encode("zstdCompress", PLAIN, { params: { [ZSTD_c_checksumFlag]: 1 } });
    expect(accepted(await decode("zstd", encoded))).toEqual(PLAIN);
    const last = encoded.byteLength - 1;
    encoded[last] = (encoded[last] ?? 0) ^ 1;
    expect(reasonOf(await decode("zstd", encoded))).toBe("body_encoding_invalid");
  });
});

describe("F3 a window over 8 MiB", () => {
  it.each([
    ["zstd", "a window descriptor of 16 MiB", [0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0]],
    ["zstd", "a window descriptor of 9 MiB", [0x28, 0xb5, 0x2f, 0xfd, 0, (13 << 3) | 1, 1, 0, 0]],
    ["zstd", "a single segment of 16 MiB", [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 1, 1, 0, 0]],
    ["zstd", "a dictionary", [0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 0, 1, 0, 0]],
    ["br", "WBITS 24", [0x0f, 0x03]],
  ] as const)("is rejected with 415 in %s: %s", async (coding, _, bytes) => {
    // The attack: a decoder allocates the whole window that a body of a few bytes announces.
    const refusal = await decode(coding, Uint8Array.from(bytes));
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["body_encoded", 415]);
  });

  it("of exactly 8 MiB is accepted", async () => {
    const { ZSTD_c_windowLog = 0, BROTLI_PARAM_LGWIN = 0 } = zlib.constants;
    const zstd = encode("zstdCompress", PLAIN, { params: { [ZSTD_c_windowLog]: 23 } });
    expect(accepted(await decode("zstd", zstd))).toEqual(PLAIN);
    const br = encode("brotliCompress", PLAIN, { params: { [BROTLI_PARAM_LGWIN]: 23 } });
    expect(accepted(await decode("br", br))).toEqual(PLAIN);
  });
});
