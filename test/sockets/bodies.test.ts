/** Part F of the catalogue: request bodies, and the bytes of them that reach the provider. */
import { readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import * as respond from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { startInterceptor } from "../support/interceptor.ts";
import { openRaw } from "../support/raw-client.ts";
import { seededRandom, between } from "../support/rechunk.ts";
import { concat, toBytes, type HeaderPair } from "../support/wire.ts";
import {
  interceptorOptions,
  credentials,
  exchange,
  uniqueModel,
  receive,
  startCheckedInterceptor,
  type Call,
  type Received,
} from "./exchange.ts";

const MIB = 1024 * 1024;
const LIMIT = 64 * 1024;
const CHAT = "/openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";
const FILES = "/openai/v1/files";
const ROUTES = [CHAT, MESSAGES, FILES];

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const defaults = await startCheckedInterceptor(interceptorOptions(upstream.url));
/** Accepts bodies of at most `LIMIT` bytes. */
const limited = await startCheckedInterceptor(interceptorOptions(upstream.url, { body_bytes: LIMIT }));

const OK = respond.json(200, { id: "x" });

/** The bodies that reached the provider. */
const forwardedBodies = (): Buffer[] => upstream.requests.map((request) => Buffer.from(request.body()));

async function send(call: Call): Promise<Received> {
  upstream.respondWith(OK);
  return exchange(defaults.port, call);
}

/** A refusal as the client receives it, including the shape of its body. */
function refusal(response: Received): object {
  const body = JSON.parse(response.text()) as { type?: string; error?: { type?: string; param?: unknown } };
  return {
    status: response.status,
    reason: response.values("x-interceptor-error")[0],
    shape: body.type === "error" ? "anthropic" : "openai",
    type: body.error?.type,
    fetched: upstream.requests.length,
  };
}

/** Valid JSON of exactly `size` bytes. */
function jsonOf(size: number): Uint8Array {
  const head = `{"model":"${uniqueModel()}","messages":[{"role":"user","content":"`;
  return toBytes(`${head}${"x".repeat(size - head.length - 4)}"}]}`);
}

/** Pseudorandom bytes of every value. */
function noise(size: number): Uint8Array {
  const random = seededRandom(size);
  return Uint8Array.from({ length: size }, () => between(random, 0, 255));
}

function split(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

describe("F1 forwards bodies unmodified", () => {
  const table = [
    { title: "1 MiB of JSON", target: CHAT, bytes: jsonOf(MIB) },
    { title: "1 MiB of JSON", target: MESSAGES, bytes: jsonOf(MIB) },
    { title: "1 MiB of binary data", target: FILES, bytes: noise(MIB) },
    { title: "an empty body", target: FILES, bytes: new Uint8Array() },
  ];

  it.each(table)("F1 $title with Content-Length to $target", async ({ target, bytes }) => {
    const response = await send({ target, body: bytes });
    expect([response.status, response.text()]).toEqual([200, '{"id":"x"}']);
    expect(forwardedBodies().map((body) => body.equals(bytes))).toEqual([true]);
  });

  it.each(table)("F1 $title in chunks to $target", async ({ target, bytes }) => {
    for (const size of [MIB, 1000, 65_537]) {
      upstream.clear();
      expect((await send({ target, chunks: split(bytes, size) })).status).toBe(200);
      expect(forwardedBodies().map((body) => body.equals(bytes))).toEqual([true]);
    }
  });

  it("F1 a POST without Content-Length and Transfer-Encoding", async () => {
    upstream.respondWith(OK);
    const connection = await openRaw(defaults.port);
    const head = credentials(FILES).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`POST ${FILES} HTTP/1.1\r\nHost: x\r\n${head.join("")}\r\n`);
    expect((await receive(connection)).status).toBe(200);
    expect(forwardedBodies().map((body) => body.length)).toEqual([0]);
  });

  it.each([CHAT, MESSAGES])("F1 rejects an empty body to %s with 400", async (target) => {
    for (const call of [
      { target, body: "" },
      { target, chunks: [] },
    ]) {
      expect(refusal(await send(call))).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
    }
  });
});

describe("F2 the body limit", () => {
  const tooLarge = { status: 413, reason: "body_too_large", fetched: 0 };
  const shapes: Record<string, object> = {
    [CHAT]: { shape: "openai", type: "invalid_request_error" },
    [MESSAGES]: { shape: "anthropic", type: "request_too_large" },
    [FILES]: { shape: "openai", type: "invalid_request_error" },
  };
  const bodyOf = (target: string, size: number): Uint8Array =>
    target === FILES ? noise(size) : jsonOf(size);

  it.each(ROUTES)(
    "F2 forwards a body of the limit and rejects one more byte with 413: %s",
    async (target) => {
      for (const chunked of [false, true]) {
        const call = (size: number): Call => {
          const bytes = bodyOf(target, size);
          return chunked ? { target, chunks: split(bytes, 999) } : { target, body: bytes };
        };
        upstream.clear();
        upstream.respondWith(OK);
        expect((await exchange(limited.port, call(LIMIT))).status).toBe(200);
        expect(forwardedBodies().map((body) => body.length)).toEqual([LIMIT]);
        upstream.clear();
        expect(refusal(await exchange(limited.port, call(LIMIT + 1)))).toEqual({
          ...tooLarge,
          ...shapes[target],
        });
      }
    },
  );

  it.each(ROUTES)(
    "F2 rejects a declared length over the limit before any body byte arrives: %s",
    async (target) => {
      for (const [port, length] of [
        [limited.port, LIMIT + 1],
        [limited.port, 10 ** 15 - 1],
        [defaults.port, (target === FILES ? 100 : 32) * MIB + 1],
      ] as const) {
        const connection = await sendHead(port, target, [["Content-Length", String(length)]]);
        expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
      }
    },
  );

  it.each(ROUTES)("F2 rejects a chunked body over the limit before its end: %s", async (target) => {
    const connection = await sendHead(limited.port, target, [["Transfer-Encoding", "chunked"]]);
    connection.writeChunk(noise(LIMIT));
    connection.writeChunk(noise(1));
    expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
  });

  it.each([
    ["not a number", [["Content-Length", "12abc"]]],
    ["negative", [["Content-Length", "-1"]]],
    ["signed", [["Content-Length", "+5"]]],
    ["hexadecimal", [["Content-Length", "0x10"]]],
    ["beyond 2^64", [["Content-Length", "99999999999999999999"]]],
    [
      "sent twice with different values",
      [
        ["Content-Length", "5"],
        ["Content-Length", "6"],
      ],
    ],
    ["a list", [["Content-Length", "5, 6"]]],
  ] as [string, HeaderPair[]][])(
    "F2 rejects a Content-Length that is %s, and fetches nothing",
    async (_, headers) => {
      for (const target of ROUTES) {
        const connection = await sendHead(limited.port, target, headers);
        connection.write("{}{}{}");
        const response = await receive(connection);
        expect(response.status).toBeGreaterThanOrEqual(400);
        expect(upstream.requests.length).toBe(0);
      }
    },
  );

  it.each(ROUTES)(
    "F2 rejects a chunked body over the limit although a small Content-Length is present: %s",
    async (target) => {
      // RFC 9112, section 6.3: Transfer-Encoding overrides Content-Length. A gateway that trusts the length would
      // read without a bound.
      const headers: HeaderPair[] = [
        ["Content-Length", "10"],
        ["Transfer-Encoding", "chunked"],
      ];
      const connection = await sendHead(limited.port, target, headers);
      connection.writeChunk(noise(LIMIT));
      connection.writeChunk(noise(1));
      expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
    },
  );

  it("F2 rejects the JSON truncated by a small Content-Length, and parses no second request", async () => {
    upstream.respondWith(OK);
    const connection = await sendHead(limited.port, CHAT, [["Content-Length", "10"]]);
    connection.write(jsonOf(500));
    const response = await receive(connection);
    expect(refusal(response)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
  });
});

/** Sends a request's head. The test sends the body. */
async function sendHead(port: number, target: string, headers: readonly HeaderPair[]) {
  const connection = await openRaw(port);
  const all = [...credentials(target), ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  connection.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${all.join("")}\r\n`);
  return connection;
}

/** The recorded codings of the requests for a model. */
const encodingsOf = (model: string): (string | null)[] =>
  defaults
    .events()
    .flatMap((event) =>
      event.record_type === "interception_start" && event.model === model ? [event.request_encoding] : [],
    );

describe("F3 compressed bodies", () => {
  const plain = jsonOf(1000);
  const supported = [
    ["gzip", gzipSync(plain)],
    ["GZIP", gzipSync(plain)],
    ["x-gzip", gzipSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["deflate", deflateSync(plain)],
    ["deflate", deflateRawSync(plain)],
    ["zstd", zstdCompressSync(plain)],
  ] as const;
  const refused = [
    ["identity, gzip", gzipSync(plain), 415, "body_encoded"],
    ["gzip, gzip", gzipSync(gzipSync(plain)), 415, "body_encoded"],
    ["nonsense", Buffer.from(plain), 415, "body_encoded"],
    ["gzip", Buffer.from(plain), 400, "body_encoding_invalid"],
    ["gzip", gzipSync(plain).subarray(0, -1), 400, "body_encoding_invalid"],
    ["zstd", Buffer.concat([zstdCompressSync(plain), zstdCompressSync(plain)]), 400, "body_encoding_invalid"],
    ["gzip", gzipSync(new Uint8Array(32 * MIB)), 413, "body_too_large"],
    ["br", brotliCompressSync(new Uint8Array(32 * MIB)), 413, "body_too_large"],
  ] as const;

  it.each(supported)(
    "F3 decodes %s, forwards the decoded bytes, and records the coding",
    async (coding, bytes) => {
      // The attack: digests and a length of the compressed bytes beside a decoded body.
      const digests: HeaderPair[] = [
        ["Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="],
        ["Digest", "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="],
        ["Content-Digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"],
        ["Repr-Digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"],
        ["Content_Encoding", "br"],
      ];
      for (const target of [CHAT, MESSAGES]) {
        const headers: HeaderPair[] = [["Content-Encoding", coding], ...digests];
        expect((await send({ target, body: new Uint8Array(bytes), headers })).status).toBe(200);
        const request = upstream.requests.at(-1);
        expect(Buffer.from(request?.body() ?? []).equals(plain)).toBe(true);
        for (const [name] of headers) expect(request?.values(name.toLowerCase())).toEqual([]);
        expect(request?.values("content-length")).toEqual([String(plain.byteLength)]);
      }
    },
  );

  it("F3 records the coding of a decoded body, and null without one", async () => {
    const model = uniqueModel();
    const body = toBytes(JSON.stringify({ model, messages: [] }));
    await send({
      target: CHAT,
      body: new Uint8Array(gzipSync(body)),
      headers: [["Content-Encoding", "X-GZip"]],
    });
    await send({ target: CHAT, body });
    await until(
      () => (encodingsOf(model).length === 2 ? true : undefined),
      () => "two starts",
    );
    expect(encodingsOf(model)).toEqual(["gzip", null]);
  });

  it.each(refused)("F3 refuses %s that cannot be decoded safely", async (coding, bytes, status, reason) => {
    for (const target of [CHAT, MESSAGES]) {
      const response = await send({
        target,
        body: new Uint8Array(bytes),
        headers: [["Content-Encoding", coding]],
      });
      expect(refusal(response)).toMatchObject({ status, reason, fetched: 0 });
      const accepts = status === 415 ? ["gzip, deflate, br, zstd"] : [];
      expect(response.values("accept-encoding")).toEqual(accepts);
    }
  });

  it.each(["identity", ""])("F3 accepts the encoding %j as no encoding", async (encoding) => {
    const response = await send({ target: CHAT, body: plain, headers: [["Content-Encoding", encoding]] });
    expect(response.status).toBe(200);
    expect(forwardedBodies().map((body) => body.equals(plain))).toEqual([true]);
  });

  it("F3 forwards the compressed body and Content-Encoding of a passthrough unmodified", async () => {
    const zipped = gzipSync(plain);
    const call = {
      target: FILES,
      body: new Uint8Array(zipped),
      headers: [["Content-Encoding", "gzip"]] as HeaderPair[],
    };
    expect((await send(call)).status).toBe(200);
    expect(forwardedBodies().map((body) => body.equals(zipped))).toEqual([true]);
    expect(upstream.requests[0]?.values("content-encoding")).toEqual(["gzip"]);
  });
});

describe("F4 a repeated field that the gateway reads", () => {
  const twice = [
    // Some JSON parsers match keys in any case, and the last one wins.
    '{"model":"a","Model":"b"}',
    '{"MODEL":"a"}',
    '{"model":"a","model":"b"}',
    '{"model":"a","model":"a"}',
    '{"model":"a","messages":[],"model":null}',
    '{"model":"a","\\u006dodel":"b"}',
    '{"\\u006D\\u006f\\u0064\\u0065\\u006c":"a","mode\\u006c":"b"}',
    '{"model":"a","model" \n:\t"b"}',
    '{"stream":false,"model":"a","stream":true}',
    '{"model":"a","stream":true,"stream_options":{},"stream\\u005Foptions":{"include_usage":false}}',
  ];
  it.each(twice)("F4 rejects it with 400: %s", async (body) => {
    for (const target of [CHAT, MESSAGES]) {
      expect(refusal(await send({ target, body }))).toMatchObject({
        status: 400,
        reason: "field_repeated",
        fetched: 0,
      });
    }
  });

  const once = [
    '{"\\u006dodel":"a"}',
    '{"model":"a","messages":[{"model":"b","model":"c"}]}',
    '{"model":"a","x":"\\"model\\":\\"b\\""}',
    '{"x":"model","y":["model","model"],"model":"a"}',
    '{"model":"a","models":"b","model ":"c"}',
    '{"model":"a","x":{"stream":true,"stream":false}}',
  ];
  it.each(once)("F4 forwards a body that has the field once: %s", async (body) => {
    expect((await send({ target: CHAT, body })).status).toBe(200);
    expect(forwardedBodies().map(String)).toEqual([body]);
    expect((await defaults.recorded("a")).end).toMatchObject({ model: "a", streaming: false });
  });
});

describe("F5 names of inherited properties", () => {
  const bodies = [
    '{"__proto__":{"model":"evil","stream":true,"stream_options":{}},"model":"plain"}',
    '{"constructor":{"prototype":{"stream":true}},"model":"plain"}',
    '{"model":"plain","hasOwnProperty":1,"toString":null,"valueOf":{},"prototype":[]}',
    '{"model":"plain","metadata":{"__proto__":{"user_id":"user_1_session_evil"}}}',
    '{"model":"plain","stream":false,"stream_options":{"__proto__":{"include_usage":true}}}',
  ];

  it.each(bodies)("F5 handles them like any other name: %s", async (body) => {
    const claude: HeaderPair[] = [["User-Agent", "claude-cli/2.1.330"]];
    expect((await send({ target: CHAT, body, headers: claude })).status).toBe(200);
    expect(forwardedBodies().map(String)).toEqual([body]);
    const { end } = await defaults.recorded("plain");
    expect(end).toMatchObject({ model: "plain", streaming: false, client_session_id: null });
  });

  it("F5 does not carry anything over to the next call", async () => {
    for (const body of bodies) await send({ target: CHAT, body });
    upstream.clear();
    await send({ target: CHAT, body: "{}" });
    expect(forwardedBodies().map(String)).toEqual(["{}"]);
    const events = await defaults.waitForEvents((all) =>
      all.some((event) => "model" in event && event.model === null),
    );
    const last = events.findLast((event) => event.record_type === "interception_start");
    expect(last).toMatchObject({ model: null, streaming: false });
  });
});

const nested = (open: string, close: string, depth: number): string =>
  `{"model":"deep","x":${open.repeat(depth)}1${close.repeat(depth)}}`;

describe("F6 nesting", () => {
  it.each([
    ["arrays", "[", "]", 100_000],
    ["objects", '{"a":', "}", 100_000],
    ["both", '[{"a":', "}]", 50_000],
    ["arrays", "[", "]", 1_000_000],
    ["arrays that are never closed", "[", "", 100_000],
  ] as const)("F6 rejects %s %s…%s, %i deep, with 400", async (_, open, close, depth) => {
    for (const target of [CHAT, MESSAGES]) {
      const response = await send({ target, body: nested(open, close, depth) });
      expect(refusal(response)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
    }
  });

  it("F6 forwards the nesting depth of real tools, also with the usage opt-in", async () => {
    const body = `{"stream":true,${nested('{"properties":[', "]}", 100).slice(1)}`;
    expect((await send({ target: CHAT, body })).status).toBe(200);
    expect(
      forwardedBodies().map((bytes) => String(bytes).replace('"stream_options":{"include_usage":true},', "")),
    ).toEqual([body]);
  });
});

describe("F7 bodies that are not JSON in UTF-8", () => {
  const valid = `{"model":"m","messages":[{"role":"user","content":"Grüße"}]}`;
  const latin1 = new Uint8Array(Buffer.from(valid, "latin1"));
  const table: readonly (readonly [string, Uint8Array])[] = [
    ["a byte order mark", toBytes(`\uFEFF${valid}`)],
    ["Latin-1", latin1],
    ["UTF-16", new Uint8Array(Buffer.from(valid, "utf16le"))],
    [
      "an encoded surrogate",
      concat([toBytes('{"model":"'), new Uint8Array([0xed, 0xa0, 0x80]), toBytes('"}')]),
    ],
    ["an overlong slash", concat([toBytes('{"model":"'), new Uint8Array([0xc0, 0xaf]), toBytes('"}')])],
    ["a truncated character", toBytes(valid).subarray(0, toBytes(valid).indexOf(0xc3) + 1)],
    ["truncated JSON", toBytes(valid.slice(0, -2))],
    ["JSON with trailing data", toBytes(`${valid}{}`)],
    ["a NUL at the end", toBytes(`${valid}\0`)],
    ["single quotes", toBytes("{'model':'m'}")],
    ["a comment", toBytes('{"model":"m"/* c */}')],
    ["a trailing comma", toBytes('{"model":"m",}')],
    ["NaN", toBytes('{"model":"m","temperature":NaN}')],
    ["a raw line feed in a string", toBytes('{"model":"m\n"}')],
    ["a form", toBytes("model=m&stream=true")],
    ["spaces", toBytes("  \n ")],
  ];

  it.each(table)("F7 rejects %s with 400, and does not return the parser's message", async (_, bytes) => {
    for (const target of [CHAT, MESSAGES]) {
      const response = await send({ target, body: bytes });
      expect(refusal(response)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
      expect(response.text()).not.toMatch(/position|token|line 1/i);
    }
  });
});

describe("F8 JSON that is not a model call", () => {
  it.each(["[]", '[{"model":"m"}]', '"{}"', "7", "null", "true", '""'])(
    "F8 rejects %s with 400",
    async (body) => {
      for (const target of [CHAT, MESSAGES]) {
        expect(refusal(await send({ target, body }))).toMatchObject({
          status: 400,
          reason: "body_invalid",
          fetched: 0,
        });
      }
    },
  );

  it.each([
    ...["1", "true", "[]", "{}", '["m"]'].map((value) => ["model", `{"model":${value}}`]),
    ...['"true"', "1", "0", "[]", "{}"].map((value) => ["stream", `{"model":"m","stream":${value}}`]),
  ] as [string, string][])("F8 rejects a wrong type of %s with 400: %s", async (field, body) => {
    const response = await send({ target: CHAT, body });
    expect(refusal(response)).toMatchObject({ status: 400, reason: "field_invalid", fetched: 0 });
    expect(JSON.parse(response.text())).toMatchObject({ error: { param: field } });
    const claude = await send({ target: MESSAGES, body });
    expect(refusal(claude)).toMatchObject({ status: 400, shape: "anthropic", type: "invalid_request_error" });
  });

  it.each(['{"model":null}', "{}", '{"messages":[]}', '{"model":"","stream":null}'])(
    "F8 forwards a body with missing fields, which the provider validates: %s",
    async (body) => {
      expect((await send({ target: CHAT, body })).status).toBe(200);
      expect(forwardedBodies().map(String)).toEqual([body]);
    },
  );
});

describe("F9 large bodies", () => {
  it("F9 forwards 5 MB of messages unmodified, and a new process keeps few copies of them", async () => {
    upstream.respondWith(OK);
    const turn = { role: "user", content: "x".repeat(5000) };
    const body = JSON.stringify({
      model: "large",
      stream: true,
      messages: Array.from({ length: 1000 }, () => turn),
    });
    const before = childProcesses();
    const fresh = await startInterceptor(interceptorOptions(upstream.url));
    try {
      const pid = childProcesses().find((child) => !before.includes(child));
      await exchange(fresh.port, { target: CHAT, body: { model: "small" } });
      const baseline = memory(pid, "VmRSS");
      expect((await exchange(fresh.port, { target: CHAT, body })).status).toBe(200);
      const growth = (memory(pid, "VmHWM") - baseline) / body.length;
      console.log(`F9 a body of ${body.length} bytes: peak memory grew by ${growth.toFixed(1)} times that`);
      expect(String(forwardedBodies().at(-1))).toBe(
        `{"stream_options":{"include_usage":true},${body.slice(1)}`,
      );
      // Half of it is JavaScript's young generation, which grows to its full size with any traffic.
      expect(growth).toBeLessThan(7);
    } finally {
      await fresh.close();
    }
  });
});

/** Resident memory of a process in bytes, current or peak; 0 on systems without /proc. */
function memory(pid: string | undefined, field: "VmRSS" | "VmHWM"): number {
  if (pid === undefined) return 0;
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}

function childProcesses(): string[] {
  if (process.platform !== "linux") return [];
  const tasks = readdirSync("/proc/self/task");
  return tasks.flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
}

describe("F10 clients that disconnect during the upload", () => {
  const half = jsonOf(1000).subarray(0, 500);
  const framings: readonly (readonly [string, HeaderPair])[] = [
    ["with Content-Length", ["Content-Length", "1000"]],
    ["in chunks", ["Transfer-Encoding", "chunked"]],
  ];
  const cases = framings.flatMap(([framing, header]) =>
    (["reset", "close"] as const).map((how) => ({ framing, header, how })),
  );

  it.each(cases)(
    "F10 $framing, by a $how: starts no call, and leaves no request to the provider open",
    async ({ framing, header, how }) => {
      for (const target of ROUTES) {
        const connection = await sendHead(defaults.port, target, [header]);
        if (framing === "with Content-Length") connection.write(half);
        else connection.writeChunk(half);
        // Once a later request has its response, the interceptor has received the half.
        await send({ target: FILES, body: "later" });
        if (how === "reset") connection.abort();
        else connection.destroy();
        await send({ target: FILES, body: "later still" });
      }
      const started = upstream.requests.filter((request) => !request.text().startsWith("later"));
      const open = () => started.filter(({ closedAt }) => closedAt === null);
      await until(
        () => open().length === 0 || undefined,
        () => "a request to the provider stayed open",
      );
      expect(started.filter(({ bodyComplete }) => bodyComplete)).toEqual([]);
      await defaults.flush();
      const recorded = defaults
        .events()
        .map((event) => ("reason" in event ? event.reason : event.record_type));
      expect(["passthrough_start", "passthrough", "body_incomplete"]).toEqual(
        expect.arrayContaining([...new Set(recorded)]),
      );
    },
  );
});

describe("F11 the usage opt-in changes only the option that it adds", () => {
  const ADDED = '"stream_options":{"include_usage":true},';
  const rest = '"messages":[]';
  const untouched: readonly (readonly [string, string])[] = [
    [
      "numbers beyond 2^53",
      '{"seed":9007199254740993,"model":"m","stream":true,"x":1.0000000000000000001,"y":1E400,"z":-0}',
    ],
    ["escapes", '{"model":"\\u006d","stream":true,"x":"\\/\\u00e9\\ud83d\\ude00\\b\\f","\\u0078":1}'],
    ["whitespace and order", ' \n{\t"z" : 1 ,\r\n"stream":\ttrue,\n\n  "a":[ 1,2 , 3 ] , "model":"m"\n}\n '],
    ["characters of every length", '{"model":"m","stream":true,"x":"aé✓😀","é":"\u2028"}'],
    ["other repeated keys", '{"model":"m","x":1,"stream":true,"x":2}'],
    [
      "the option's name elsewhere",
      '{"model":"m","stream":true,"x":{"stream_options":{"include_usage":false}},"y":"\\"stream_options\\":null"}',
    ],
    ["braces in strings", '{"a{":"}{","model":"m","stream":true}'],
  ];

  it.each(untouched)("F11 keeps %s unmodified when it adds the option", async (_, body) => {
    expect((await send({ target: CHAT, body })).status).toBe(200);
    const at = body.indexOf("{") + 1;
    expect(forwardedBodies().map(String)).toEqual([`${body.slice(0, at)}${ADDED}${body.slice(at)}`]);
  });

  it.each([
    ['"stream_options":null', '"stream_options":{"include_usage":true}'],
    ['"stream_options" :\n null', '"stream_options" :\n {"include_usage":true}'],
    ['"stream_options":{}', '"stream_options":{"include_usage":true}'],
    ['"stream_options":{ \n}', '"stream_options":{"include_usage":true \n}'],
    ['"stream_options":{"include_usage":false}', '"stream_options":{"include_usage":true}'],
    ['"stream_options":{"include_usage" : null }', '"stream_options":{"include_usage" : true }'],
    [
      '"stream_options":{"include_\\u0075sage":false,"é":"✓"}',
      '"stream_options":{"include_\\u0075sage":true,"é":"✓"}',
    ],
    [
      '"stream_\\u006fptions":{"x":{"include_usage":false}}',
      '"stream_\\u006fptions":{"include_usage":true,"x":{"include_usage":false}}',
    ],
    [
      '"é":"😀\\\\\\"","stream_options":{"include_obfuscation":false}',
      '"é":"😀\\\\\\"","stream_options":{"include_usage":true,"include_obfuscation":false}',
    ],
  ])("F11 changes an option that is present: %s", async (original, changed) => {
    for (const body of [
      `{"model":"m","stream":true,${original},${rest}}`,
      `{${original},"stream":true,${rest}}`,
    ]) {
      upstream.clear();
      expect((await send({ target: CHAT, body })).status).toBe(200);
      expect(forwardedBodies().map(String)).toEqual([body.replace(original, changed)]);
    }
  });

  it.each([
    ["already requested", CHAT, '{"stream":true,"stream_options":{"include_usage":true}}'],
    ["no stream", CHAT, '{"model":"m"}'],
    ["stream is false", CHAT, '{"stream":false,"stream_options":null}'],
    ["responses", "/openai/v1/responses", '{"stream":true,"input":"x"}'],
    ["messages", MESSAGES, '{"stream":true,"messages":[]}'],
    ["a passthrough", "/openai/v1/embeddings", '{"stream":true}'],
  ])("F11 adds nothing if there is nothing to request: %s", async (_, target, body) => {
    expect((await send({ target, body })).status).toBe(200);
    expect(forwardedBodies().map(String)).toEqual([body]);
  });

  it("F11 changes only the option in 300 random bodies", async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      upstream.clear();
      const { body, expected } = randomBody(seed);
      expect((await send({ target: CHAT, body })).status).toBe(200);
      expect([seed, forwardedBodies().map(String)]).toEqual([seed, [expected]]);
    }
  });

  /** A body of unusual members and whitespace, and the body that must be forwarded. */
  function randomBody(seed: number): { body: string; expected: string } {
    const random = seededRandom(seed);
    const pick = <T>(items: readonly [T, ...T[]]): T =>
      items[between(random, 0, items.length - 1)] ?? items[0];
    const space = (): string => pick(["", "", " ", "\n", "\t ", "\r\n"]);
    const values = [
      "1e5",
      "-0.0",
      '"\\"}{"',
      "[]",
      "[{},[ ]]",
      '{"include_usage":false}',
      '"ü😀\\\\"',
      "null",
      "9007199254740993",
    ] as const;
    const extra = Array.from(
      { length: between(random, 0, 6) },
      (_, at) => `"k${at}é ✓"${space()}:${space()}${pick(values)}`,
    );
    const options: [[string, string], ...[string, string][]] = [
      ["", ""],
      ['"stream_options":{}', '"stream_options":{"include_usage":true}'],
      ['"stream_options":null', '"stream_options":{"include_usage":true}'],
      ['"stream_options":{"a":[{"b":"}"}]}', '"stream_options":{"include_usage":true,"a":[{"b":"}"}]}'],
    ];
    const option = pick(options);
    const members = [...extra, '"stream":true', option[0]].filter((member) => member !== "");
    const keys = members.map((member) => ({ member, order: random() })).toSorted((a, b) => a.order - b.order);
    const start = `${space()}{`;
    const inner = keys.map(({ member }) => `${space()}${member}${space()}`).join(",");
    const body = `${start}${inner}}${space()}`;
    const expected =
      option[0] === ""
        ? `${start}${ADDED}${inner}${body.slice(start.length + inner.length)}`
        : body.replace(option[0], option[1]);
    return { body, expected };
  }
});

describe("a response that arrives before the upload is complete", () => {
  it.each([
    ["of declared length", respond.json(413, { error: "too large" })],
    [
      "of unknown length",
      [
        respond.head({ status: 413, headers: [["Content-Type", "application/json"]] }),
        respond.body('{"error":"too '),
        respond.body('large"}'),
        respond.finish(),
      ],
    ],
  ] as const)("F10 reaches the client unmodified: %s", async (_, plan) => {
    upstream.respondWith(plan, { at: "head" });
    const connection = await openRaw(defaults.port);
    const headers: HeaderPair[] = [...credentials(FILES), ["Content-Length", String(2 * MIB)]];
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`POST ${FILES} HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n${"a".repeat(MIB)}`);
    const response = await receive(connection);
    expect([response.status, response.text()]).toEqual([413, '{"error":"too large"}']);
    // A short error is read whole, to search it for secrets, so its length is known.
    expect(response.values("content-length")).toEqual(["21"]);
    await upstream.waitForAllClosed();
  });
});
