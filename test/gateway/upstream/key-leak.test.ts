import { afterEach, describe, expect, it, vi } from "vitest";
import { rejectKeyLeak } from "../../../src/gateway/upstream/key-leak.ts";
import { createSecretFinder } from "../../../src/shared/secret-finder.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { accepted, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";

const KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56";

const escaped = (text: string): string =>
  [...text].map((one) => `\\u00${one.charCodeAt(0).toString(16)}`).join("");
const containsKey = (text: string, value: string): boolean =>
  createSecretFinder([{ name: "KEY", value }])?.findAny(text) === "KEY";
const quotesKey = (text: string): boolean => containsKey(text, KEY);

type ResponseSetup = { readonly status?: number; readonly headers?: Record<string, string> };

function check(
  body: string | ReadableStream | null,
  { status = 401, headers = {} }: ResponseSetup = {},
  abort = new AbortController(),
): ReturnType<typeof rejectKeyLeak> {
  const stream = typeof body === "string" ? wholeBody(...(body === "" ? [] : [body])) : body;
  return rejectKeyLeak(new Response(stream, { status, headers }), quotesKey, abort, 60_000);
}

describe("C17 an error response to a call with the gateway's own key", () => {
  it.each([
    ["in its text", `{"error":{"message":"Incorrect API key provided: ${KEY}. See …"}}`, {}],
    ["with a masked end", `bad key ${KEY.slice(0, 24)}************`, {}],
    ["with a masked beginning", `bad key ********${KEY.slice(-24)}`, {}],
    ["in a header", "{}", { "www-authenticate": `Bearer error="${KEY}"` }],
    ["next to an escaped line break", `{"a":"\\n${KEY}"}`, {}],
    ["in a body that is not JSON", `<html>${KEY}</html>`, {}],
  ])("is rejected with 502 if it quotes the key %s", async (_, body, headers) => {
    for (const status of [400, 401, 403, 500, 529]) {
      const refusal = await check(body, { status, headers });
      expect(reasonOf(refusal)).toBe("upstream_key_rejected");
      expect(statusOf(refusal)).toBe(502);
      expect(JSON.stringify(refusal)).not.toContain(KEY.slice(8, 16));
    }
  });

  // The attack (H3): the key in a form that a search of the text as UTF-8 does not see.
  it.each([
    ["in escapes of JSON", `{"error":"${escaped(KEY)}"}`, "application/json"],
    ["in UTF-16", [...KEY].map((one) => `${one}\0`).join(""), "application/json; charset=utf-16le"],
    ["in UTF-16 without a charset", [...KEY].map((one) => `\0${one}`).join(""), "application/json"],
    ["in a charset that cannot be read", "{}", "application/json; charset=utf-7"],
    ["in EBCDIC", "{}", 'application/json; charset="cp037"'],
    ["in a charset with shifts", "{}", "text/plain;charset=ISO-2022-JP"],
  ])("Finding H3: is rejected with 502 if it has, or may have, the key %s", async (_, body, type) => {
    expect(reasonOf(await check(body, { headers: { "content-type": type } }))).toBe("upstream_key_rejected");
  });

  it.each([
    "utf-8",
    "UTF8",
    "us-ascii",
    "iso-8859-1",
    "windows-1252",
    "shift_jis",
    "utf-16",
    "utf-32",
    '"utf-8"',
  ])("passes in the charset %s", async (charset) => {
    const headers = { "content-type": `application/json; charset=${charset}` };
    expect(await accepted(await check("{}", { headers })).text()).toBe("{}");
  });

  it("is rejected if it quotes the key across two chunks", async () => {
    const body = wholeBody(`key ${KEY.slice(0, 20)}`, `${KEY.slice(20)} is bad`);
    expect(reasonOf(await check(body))).toBe("upstream_key_rejected");
  });

  it.each([
    ["masked as OpenAI does", `Incorrect API key provided: sk-proj-${"*".repeat(20)}Op56.`],
    ["another key", "bad key sk-proj-Zz99Yy88Xx77Ww66Vv55Uu44Tt33Ss22"],
    ["no part of the key", '{"error":{"message":"overloaded"}}'],
    ["its public prefix", "keys begin with sk-proj-"],
    ["an empty body", ""],
  ])("passes with status, text, headers and bytes if it holds %s", async (_, body) => {
    const headers = { "content-type": "application/json", "retry-after": "5", "request-id": "r" };
    const response = accepted(await check(body, { status: 429, headers }));
    expect(response.status).toBe(429);
    expect(await response.text()).toBe(body);
    expect(Object.fromEntries(response.headers)).toEqual({
      ...headers,
      "content-length": String(utf8(body).length),
    });
  });

  it("gets a length instead of chunked encoding", async () => {
    const response = accepted(await check("overloaded", { headers: { "transfer-encoding": "chunked" } }));
    expect(Object.fromEntries(response.headers)).toEqual({ "content-length": "10" });
  });

  it("stays without a body if it had none", async () => {
    const response = accepted(await check(null, { status: 404, headers: { "content-length": "0" } }));
    expect(response.body).toBeNull();
    expect(response.headers.get("content-length")).toBe("0");
  });

  it("loses its content-encoding if the runtime has decoded it", async () => {
    const response = accepted(
      await check("{}", { headers: { "content-encoding": "gzip", "content-length": "99" } }),
    );
    expect(response.headers.has("content-encoding")).toBe(false);
    expect(response.headers.get("content-length")).toBe("2");
  });

  it.each([200, 204, 304])("does not include a %i, which passes unread", async (status) => {
    const response = new Response(status === 200 ? wholeBody(KEY) : null, { status });
    expect(await rejectKeyLeak(response, quotesKey, new AbortController(), 1)).toBe(response);
    expect(response.bodyUsed).toBe(false);
  });

  it("is rejected with 502 over 1 MiB, and passes at 1 MiB", async () => {
    const mib = "x".repeat(1024 * 1024);
    expect((await accepted(await check(mib)).text()).length).toBe(mib.length);
    expect(reasonOf(await check(`${mib}x`))).toBe("upstream_unreachable");
  });

  it("is rejected with 502 if it breaks off", async () => {
    const body = upstreamBody();
    body.send("{");
    const checking = check(body.stream);
    body.fail();
    const refusal = await checking;
    expect(reasonOf(refusal)).toBe("upstream_unreachable");
    expect(statusOf(refusal)).toBe(502);
  });
});

describe("the deadline of an error response", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("aborts a response that never ends", async () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    const body = upstreamBody().failOnAbort(abort.signal);
    body.send("{");
    const checking = check(body.stream, {}, abort);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(abort.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(abort.signal.aborted).toBe(true);
    expect(reasonOf(await checking)).toBe("upstream_unreachable");
  });

  it("leaves no timer behind and aborts nothing if the response ends", async () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    accepted(await check("{}", {}, abort));
    expect(vi.getTimerCount()).toBe(0);
    expect(abort.signal.aborted).toBe(false);
  });
});

describe("C17 a run of the key", () => {
  it("is found from 16 characters on, at any offset", () => {
    for (const key of [KEY, KEY.slice(0, 31), KEY.slice(0, 24), KEY.slice(0, 16)]) {
      const missed = Array.from({ length: key.length - 15 }, (_, at) => at).filter(
        (at) => !containsKey(`…${key.slice(at, at + 16)}…`, key),
      );
      expect(missed).toEqual([]);
    }
  });

  it("is not recognized in 7 characters", () => {
    for (let at = 0; at + 7 <= KEY.length; at += 1)
      expect(containsKey(KEY.slice(at, at + 7), KEY)).toBe(false);
  });

  it("is the complete key if the key is short", () => {
    expect(containsKey("key abc123 is bad", "abc123")).toBe(true);
    expect(containsKey("key abc12 is bad", "abc123")).toBe(false);
    expect(containsKey("x fifteen-chars15 x", "fifteen-chars15")).toBe(true);
  });
});
