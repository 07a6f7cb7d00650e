/** Part F of the catalogue: what clients send as bodies, and what a provider gets of it. */
import { readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
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

const patient = await startCheckedInterceptor(interceptorOptions(upstream.url));
/** Takes no more than `LIMIT` bytes. */
const narrow = await startCheckedInterceptor(interceptorOptions(upstream.url, { body_bytes: LIMIT }));

const OK = respond.json(200, { id: "x" });

/** The bodies that reached the provider. */
const forwarded = (): Buffer[] => upstream.requests.map((request) => Buffer.from(request.body()));

async function ask(call: Call): Promise<Received> {
  upstream.respondWith(OK);
  return exchange(patient.port, call);
}

/** What a client sees of a refusal, the body's shape included. */
function refusal(got: Received): object {
  const body = JSON.parse(got.text()) as { type?: string; error?: { type?: string; param?: unknown } };
  return {
    status: got.status,
    reason: got.values("x-interceptor-error")[0],
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

/** Bytes of every value, in an order that repeats itself late. */
function noise(size: number): Uint8Array {
  const random = seededRandom(size);
  return Uint8Array.from({ length: size }, () => between(random, 0, 255));
}

function inPieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

describe("F1 bodies reach the provider byte for byte", () => {
  const table = [
    { what: "1 MiB of JSON", target: CHAT, bytes: jsonOf(MIB) },
    { what: "1 MiB of JSON", target: MESSAGES, bytes: jsonOf(MIB) },
    { what: "1 MiB of anything", target: FILES, bytes: noise(MIB) },
    { what: "nothing", target: FILES, bytes: new Uint8Array() },
  ];

  it.each(table)("F1 $what by length to $target", async ({ target, bytes }) => {
    const got = await ask({ target, body: bytes });
    expect([got.status, got.text()]).toEqual([200, '{"id":"x"}']);
    expect(forwarded().map((body) => body.equals(bytes))).toEqual([true]);
  });

  it.each(table)("F1 $what in chunks to $target", async ({ target, bytes }) => {
    for (const size of [MIB, 1000, 65_537]) {
      upstream.clear();
      expect((await ask({ target, chunks: inPieces(bytes, size) })).status).toBe(200);
      expect(forwarded().map((body) => body.equals(bytes))).toEqual([true]);
    }
  });

  it("F1 a POST without any framing of a body", async () => {
    upstream.respondWith(OK);
    const connection = await openRaw(patient.port);
    const head = credentials(FILES).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`POST ${FILES} HTTP/1.1\r\nHost: x\r\n${head.join("")}\r\n`);
    expect((await receive(connection)).status).toBe(200);
    expect(forwarded().map((body) => body.length)).toEqual([0]);
  });

  it.each([CHAT, MESSAGES])("F1 nothing at all to %s is a 400", async (target) => {
    for (const call of [
      { target, body: "" },
      { target, chunks: [] },
    ]) {
      expect(refusal(await ask(call))).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
    }
  });
});

describe("F2 bodies over the limit", () => {
  const tooLarge = { status: 413, reason: "body_too_large", fetched: 0 };
  const shapes: Record<string, object> = {
    [CHAT]: { shape: "openai", type: "invalid_request_error" },
    [MESSAGES]: { shape: "anthropic", type: "request_too_large" },
    [FILES]: { shape: "openai", type: "invalid_request_error" },
  };
  const bodyOf = (target: string, size: number): Uint8Array =>
    target === FILES ? noise(size) : jsonOf(size);

  it.each(ROUTES)("F2 up to the limit goes on, one byte more is a 413: %s", async (target) => {
    for (const chunked of [false, true]) {
      const call = (size: number): Call => {
        const bytes = bodyOf(target, size);
        return chunked ? { target, chunks: inPieces(bytes, 999) } : { target, body: bytes };
      };
      upstream.clear();
      upstream.respondWith(OK);
      expect((await exchange(narrow.port, call(LIMIT))).status).toBe(200);
      expect(forwarded().map((body) => body.length)).toEqual([LIMIT]);
      upstream.clear();
      expect(refusal(await exchange(narrow.port, call(LIMIT + 1)))).toEqual({
        ...tooLarge,
        ...shapes[target],
      });
    }
  });

  it.each(ROUTES)("F2 by its declared length, before a byte of it is there: %s", async (target) => {
    for (const [port, length] of [
      [narrow.port, LIMIT + 1],
      [narrow.port, 10 ** 15 - 1],
      [patient.port, 32 * MIB + 1],
    ] as const) {
      const connection = await begin(port, target, [["Content-Length", String(length)]]);
      expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
    }
  });

  it.each(ROUTES)("F2 in chunks, refused while it is still coming: %s", async (target) => {
    const connection = await begin(narrow.port, target, [["Transfer-Encoding", "chunked"]]);
    connection.writeChunk(noise(LIMIT));
    connection.writeChunk(noise(1));
    expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
  });

  it.each([
    ["no number", [["Content-Length", "12abc"]]],
    ["negative", [["Content-Length", "-1"]]],
    ["signed", [["Content-Length", "+5"]]],
    ["hexadecimal", [["Content-Length", "0x10"]]],
    ["beyond 2^64", [["Content-Length", "99999999999999999999"]]],
    [
      "given twice, differently",
      [
        ["Content-Length", "5"],
        ["Content-Length", "6"],
      ],
    ],
    ["a list", [["Content-Length", "5, 6"]]],
  ] as [string, HeaderPair[]][])(
    "F2 a length that is %s is refused, and nothing fetched",
    async (_, headers) => {
      for (const target of ROUTES) {
        const connection = await begin(narrow.port, target, headers);
        connection.write("{}{}{}");
        const got = await receive(connection);
        expect(got.status).toBeGreaterThanOrEqual(400);
        expect(upstream.requests.length).toBe(0);
      }
    },
  );

  it.each(ROUTES)(
    "F2 in chunks beside a small length, refused while it is still coming: %s",
    async (target) => {
      // RFC 9112, section 6.3: the chunks count. A gateway that believes the length reads without a bound.
      const headers: HeaderPair[] = [
        ["Content-Length", "10"],
        ["Transfer-Encoding", "chunked"],
      ];
      const connection = await begin(narrow.port, target, headers);
      connection.writeChunk(noise(LIMIT));
      connection.writeChunk(noise(1));
      expect(refusal(await receive(connection))).toEqual({ ...tooLarge, ...shapes[target] });
    },
  );

  it("F2 a length that is too small leaves a body that is no JSON, and what follows it is no second request", async () => {
    upstream.respondWith(OK);
    const connection = await begin(narrow.port, CHAT, [["Content-Length", "10"]]);
    connection.write(jsonOf(500));
    const got = await receive(connection);
    expect(refusal(got)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
  });
});

/** A request's head; its body, or none of it, is up to the test. */
async function begin(port: number, target: string, headers: readonly HeaderPair[]) {
  const connection = await openRaw(port);
  const all = [...credentials(target), ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  connection.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${all.join("")}\r\n`);
  return connection;
}

describe("F3 compressed bodies", () => {
  const plain = jsonOf(1000);
  const table = [
    ["gzip", gzipSync(plain)],
    ["GZIP", gzipSync(plain)],
    ["x-gzip", gzipSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["deflate", deflateSync(plain)],
    ["identity, gzip", gzipSync(plain)],
    ["gzip", Buffer.from(plain)],
    ["nonsense", Buffer.from(plain)],
  ] as const;

  it.each(table)("F3 %s is a 415, never inflated", async (encoding, bytes) => {
    for (const target of [CHAT, MESSAGES]) {
      const got = await ask({
        target,
        body: new Uint8Array(bytes),
        headers: [["Content-Encoding", encoding]],
      });
      expect(refusal(got)).toMatchObject({ status: 415, reason: "body_encoded", fetched: 0 });
    }
  });

  it("F3 a body of 32 MiB that was zeros before it was compressed costs nothing: it is not looked at", async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(32 * MIB)));
    const got = await ask({ target: CHAT, body: bomb, headers: [["Content-Encoding", "gzip"]] });
    expect(refusal(got)).toMatchObject({ status: 415, fetched: 0 });
  });

  it.each(["identity", ""])("F3 the encoding %j is none", async (encoding) => {
    const got = await ask({ target: CHAT, body: plain, headers: [["Content-Encoding", encoding]] });
    expect(got.status).toBe(200);
    expect(forwarded().map((body) => body.equals(plain))).toEqual([true]);
  });

  it("F3 a passthrough's goes on as it came, with its encoding's name", async () => {
    const zipped = gzipSync(plain);
    const call = {
      target: FILES,
      body: new Uint8Array(zipped),
      headers: [["Content-Encoding", "gzip"]] as HeaderPair[],
    };
    expect((await ask(call)).status).toBe(200);
    expect(forwarded().map((body) => body.equals(zipped))).toEqual([true]);
    expect(upstream.requests[0]?.values("content-encoding")).toEqual(["gzip"]);
  });
});

describe("F4 a field that is judged and given twice", () => {
  const twice = [
    // Some readers take keys in any case, and the last one counts.
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
  it.each(twice)("F4 is a 400: %s", async (body) => {
    for (const target of [CHAT, MESSAGES]) {
      expect(refusal(await ask({ target, body }))).toMatchObject({
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
  it.each(once)("F4 is forwarded, as it is given once: %s", async (body) => {
    expect((await ask({ target: CHAT, body })).status).toBe(200);
    expect(forwarded().map(String)).toEqual([body]);
    expect((await patient.recorded("a")).end).toMatchObject({ model: "a", streaming: false });
  });
});

describe("F5 names that objects have of their own", () => {
  const bodies = [
    '{"__proto__":{"model":"evil","stream":true,"stream_options":{}},"model":"plain"}',
    '{"constructor":{"prototype":{"stream":true}},"model":"plain"}',
    '{"model":"plain","hasOwnProperty":1,"toString":null,"valueOf":{},"prototype":[]}',
    '{"model":"plain","metadata":{"__proto__":{"user_id":"user_1_session_evil"}}}',
    '{"model":"plain","stream":false,"stream_options":{"__proto__":{"include_usage":true}}}',
  ];

  it.each(bodies)("F5 are names like any others: %s", async (body) => {
    const claude: HeaderPair[] = [["User-Agent", "claude-cli/2.1.330"]];
    expect((await ask({ target: CHAT, body, headers: claude })).status).toBe(200);
    expect(forwarded().map(String)).toEqual([body]);
    const { end } = await patient.recorded("plain");
    expect(end).toMatchObject({ model: "plain", streaming: false, client_session_id: null });
  });

  it("F5 leave nothing behind for the next call", async () => {
    for (const body of bodies) await ask({ target: CHAT, body });
    upstream.clear();
    await ask({ target: CHAT, body: "{}" });
    expect(forwarded().map(String)).toEqual(["{}"]);
    const events = await patient.waitForEvents((all) =>
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
  ] as const)("F6 %s %s…%s, %i deep, are a 400", async (_, open, close, depth) => {
    for (const target of [CHAT, MESSAGES]) {
      const got = await ask({ target, body: nested(open, close, depth) });
      expect(refusal(got)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
    }
  });

  it("F6 as deep as real tools nest is forwarded, also with the usage opt-in", async () => {
    const body = `{"stream":true,${nested('{"properties":[', "]}", 100).slice(1)}`;
    expect((await ask({ target: CHAT, body })).status).toBe(200);
    expect(
      forwarded().map((sent) => String(sent).replace('"stream_options":{"include_usage":true},', "")),
    ).toEqual([body]);
  });
});

describe("F7 what is no JSON in UTF-8", () => {
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
    ["a character cut short", toBytes(valid).subarray(0, toBytes(valid).indexOf(0xc3) + 1)],
    ["JSON cut short", toBytes(valid.slice(0, -2))],
    ["JSON and more", toBytes(`${valid}{}`)],
    ["a NUL at the end", toBytes(`${valid}\0`)],
    ["single quotes", toBytes("{'model':'m'}")],
    ["a comment", toBytes('{"model":"m"/* c */}')],
    ["a trailing comma", toBytes('{"model":"m",}')],
    ["NaN", toBytes('{"model":"m","temperature":NaN}')],
    ["a raw line feed in a string", toBytes('{"model":"m\n"}')],
    ["a form", toBytes("model=m&stream=true")],
    ["blanks", toBytes("  \n ")],
  ];

  it.each(table)("F7 %s is a 400, and the parser's words about it are told to nobody", async (_, bytes) => {
    for (const target of [CHAT, MESSAGES]) {
      const got = await ask({ target, body: bytes });
      expect(refusal(got)).toMatchObject({ status: 400, reason: "body_invalid", fetched: 0 });
      expect(got.text()).not.toMatch(/position|token|line 1/i);
    }
  });
});

describe("F8 JSON that is no call", () => {
  it.each(["[]", '[{"model":"m"}]', '"{}"', "7", "null", "true", '""'])("F8 %s is a 400", async (body) => {
    for (const target of [CHAT, MESSAGES]) {
      expect(refusal(await ask({ target, body }))).toMatchObject({
        status: 400,
        reason: "body_invalid",
        fetched: 0,
      });
    }
  });

  it.each([
    ...["1", "true", "[]", "{}", '["m"]'].map((value) => ["model", `{"model":${value}}`]),
    ...['"true"', "1", "0", "[]", "{}"].map((value) => ["stream", `{"model":"m","stream":${value}}`]),
  ] as [string, string][])("F8 a wrong type of %s is a 400: %s", async (field, body) => {
    const got = await ask({ target: CHAT, body });
    expect(refusal(got)).toMatchObject({ status: 400, reason: "field_invalid", fetched: 0 });
    expect(JSON.parse(got.text())).toMatchObject({ error: { param: field } });
    const claude = await ask({ target: MESSAGES, body });
    expect(refusal(claude)).toMatchObject({ status: 400, shape: "anthropic", type: "invalid_request_error" });
  });

  it.each(['{"model":null}', "{}", '{"messages":[]}', '{"model":"","stream":null}'])(
    "F8 what is only missing is the provider's to logError of: %s",
    async (body) => {
      expect((await ask({ target: CHAT, body })).status).toBe(200);
      expect(forwarded().map(String)).toEqual([body]);
    },
  );
});

describe("F9 large bodies", () => {
  it("F9 5 MB of messages go on whole, and a process that has done nothing else keeps few copies of them", async () => {
    upstream.respondWith(OK);
    const turn = { role: "user", content: "x".repeat(5000) };
    const body = JSON.stringify({
      model: "large",
      stream: true,
      messages: Array.from({ length: 1000 }, () => turn),
    });
    const others = childProcesses();
    const fresh = await startInterceptor(interceptorOptions(upstream.url));
    try {
      const pid = childProcesses().find((child) => !others.includes(child));
      await exchange(fresh.port, { target: CHAT, body: { model: "small" } });
      const before = memory(pid, "VmRSS");
      expect((await exchange(fresh.port, { target: CHAT, body })).status).toBe(200);
      const grown = (memory(pid, "VmHWM") - before) / body.length;
      console.log(`F9 a body of ${body.length} bytes: peak memory grew by ${grown.toFixed(1)} times that`);
      expect(String(forwarded().at(-1))).toBe(`{"stream_options":{"include_usage":true},${body.slice(1)}`);
      // Measured: 9. A Worker that only reads, parses and forwards: 6. Nothing is collected before the peak.
      expect(grown).toBeLessThan(14);
    } finally {
      await fresh.close();
    }
  });
});

/** Resident memory of a process in bytes, now or at its peak; 0 where there is no /proc to tell. */
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

describe("F10 clients that leave in mid-upload", () => {
  const half = jsonOf(1000).subarray(0, 500);
  const framings: readonly (readonly [string, HeaderPair])[] = [
    ["by length", ["Content-Length", "1000"]],
    ["in chunks", ["Transfer-Encoding", "chunked"]],
  ];
  const ways = framings.flatMap(([framing, header]) =>
    (["reset", "close"] as const).map((how) => ({ framing, header, how })),
  );

  it.each(ways)(
    "F10 $framing, by a $how: no call is begun, no provider left hanging or blamed",
    async (way) => {
      for (const target of ROUTES) {
        const connection = await begin(patient.port, target, [way.header]);
        if (way.framing === "by length") connection.write(half);
        else connection.writeChunk(half);
        // The interceptor has the half when it has answered someone who came later.
        await ask({ target: FILES, body: "later" });
        if (way.how === "reset") connection.abort();
        else connection.destroy();
        await ask({ target: FILES, body: "later still" });
      }
      const begun = upstream.requests.filter((request) => !request.text().startsWith("later"));
      const left = () => begun.filter(({ closedAt }) => closedAt === null);
      await until(
        () => left().length === 0 || undefined,
        () => "the provider was left hanging",
      );
      expect(begun.filter(({ bodyComplete }) => bodyComplete)).toEqual([]);
      await patient.flush();
      const told = patient.events().map((event) => ("reason" in event ? event.reason : event.record_type));
      expect(["body_incomplete", "passthrough"]).toEqual(expect.arrayContaining([...new Set(told)]));
    },
  );
});

describe("F11 the usage opt-in changes nothing but what it adds", () => {
  const ADDED = '"stream_options":{"include_usage":true},';
  const rest = '"messages":[]';
  const untouched: readonly (readonly [string, string])[] = [
    [
      "numbers beyond 2^53",
      '{"seed":9007199254740993,"model":"m","stream":true,"x":1.0000000000000000001,"y":1E400,"z":-0}',
    ],
    ["escapes", '{"model":"\\u006d","stream":true,"x":"\\/\\u00e9\\ud83d\\ude00\\b\\f","\\u0078":1}'],
    ["white space and order", ' \n{\t"z" : 1 ,\r\n"stream":\ttrue,\n\n  "a":[ 1,2 , 3 ] , "model":"m"\n}\n '],
    ["characters of every length", '{"model":"m","stream":true,"x":"aé✓😀","é":"\u2028"}'],
    ["other keys given twice", '{"model":"m","x":1,"stream":true,"x":2}'],
    [
      "the option's name elsewhere",
      '{"model":"m","stream":true,"x":{"stream_options":{"include_usage":false}},"y":"\\"stream_options\\":null"}',
    ],
    ["braces in strings", '{"a{":"}{","model":"m","stream":true}'],
  ];

  it.each(untouched)("F11 where the option is not there, %s stay as they were", async (_, body) => {
    expect((await ask({ target: CHAT, body })).status).toBe(200);
    const at = body.indexOf("{") + 1;
    expect(forwarded().map(String)).toEqual([`${body.slice(0, at)}${ADDED}${body.slice(at)}`]);
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
  ])("F11 where it is there: %s", async (given, sent) => {
    for (const body of [`{"model":"m","stream":true,${given},${rest}}`, `{${given},"stream":true,${rest}}`]) {
      upstream.clear();
      expect((await ask({ target: CHAT, body })).status).toBe(200);
      expect(forwarded().map(String)).toEqual([body.replace(given, sent)]);
    }
  });

  it.each([
    ["asked for", CHAT, '{"stream":true,"stream_options":{"include_usage":true}}'],
    ["no stream", CHAT, '{"model":"m"}'],
    ["no stream, said so", CHAT, '{"stream":false,"stream_options":null}'],
    ["of a type that the provider refuses", CHAT, '{"stream":true,"stream_options":[]}'],
    ["responses", "/openai/v1/responses", '{"stream":true,"input":"x"}'],
    ["messages", MESSAGES, '{"stream":true,"messages":[]}'],
    ["a passthrough", "/openai/v1/embeddings", '{"stream":true}'],
  ])("F11 nothing is added where there is nothing to ask: %s", async (_, target, body) => {
    expect((await ask({ target, body })).status).toBe(200);
    expect(forwarded().map(String)).toEqual([body]);
  });

  it("F11 300 bodies at random, each with the option somewhere or not at all, come back when it is taken out", async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      upstream.clear();
      const { body, sent } = randomBody(seed);
      expect((await ask({ target: CHAT, body })).status).toBe(200);
      expect([seed, forwarded().map(String)]).toEqual([seed, [sent]]);
    }
  });

  /** A body of odd members and blanks, and what is to go on of it. */
  function randomBody(seed: number): { body: string; sent: string } {
    const random = seededRandom(seed);
    const pick = <T>(of: readonly [T, ...T[]]): T => of[between(random, 0, of.length - 1)] ?? of[0];
    const blank = (): string => pick(["", "", " ", "\n", "\t ", "\r\n"]);
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
    const odd = Array.from(
      { length: between(random, 0, 6) },
      (_, at) => `"k${at}é ✓"${blank()}:${blank()}${pick(values)}`,
    );
    const options: [[string, string], ...[string, string][]] = [
      ["", ""],
      ['"stream_options":{}', '"stream_options":{"include_usage":true}'],
      ['"stream_options":null', '"stream_options":{"include_usage":true}'],
      ['"stream_options":{"a":[{"b":"}"}]}', '"stream_options":{"include_usage":true,"a":[{"b":"}"}]}'],
    ];
    const option = pick(options);
    const members = [...odd, '"stream":true', option[0]].filter((member) => member !== "");
    const keys = members.map((member) => ({ member, order: random() })).toSorted((a, b) => a.order - b.order);
    const start = `${blank()}{`;
    const inner = keys.map(({ member }) => `${blank()}${member}${blank()}`).join(",");
    const body = `${start}${inner}}${blank()}`;
    const sent =
      option[0] === ""
        ? `${start}${ADDED}${inner}${body.slice(start.length + inner.length)}`
        : body.replace(option[0], option[1]);
    return { body, sent };
  }
});
