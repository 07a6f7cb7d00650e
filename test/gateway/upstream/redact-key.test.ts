import { afterEach, describe, expect, it, vi } from "vitest";
import { containsKey, rejectKeyEcho } from "../../../src/gateway/upstream/redact-key.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { accepted, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";

const KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56";

type Given = { readonly status?: number; readonly headers?: Record<string, string> };

function check(
  body: string | ReadableStream | null,
  { status = 401, headers = {} }: Given = {},
  abort = new AbortController(),
): ReturnType<typeof rejectKeyEcho> {
  const stream = typeof body === "string" ? wholeBody(...(body === "" ? [] : [body])) : body;
  return rejectKeyEcho(new Response(stream, { status, headers }), KEY, abort, 60_000);
}

describe("C17 an error answer to a call with the gateway's own key", () => {
  it.each([
    ["in its text", `{"error":{"message":"Incorrect API key provided: ${KEY}. See …"}}`, {}],
    ["with its end masked", `bad key ${KEY.slice(0, 24)}************`, {}],
    ["with its beginning masked", `bad key ********${KEY.slice(-24)}`, {}],
    ["in a header", "{}", { "www-authenticate": `Bearer error="${KEY}"` }],
    ["across a line break's escape", `{"a":"\\n${KEY}"}`, {}],
    ["in what is no JSON", `<html>${KEY}</html>`, {}],
  ])("that quotes it %s is not shown: E502", async (_, body, headers) => {
    for (const status of [400, 401, 403, 500, 529]) {
      const refusal = await check(body, { status, headers });
      expect(reasonOf(refusal)).toBe("upstream_key_rejected");
      expect(statusOf(refusal)).toBe(502);
      expect(JSON.stringify(refusal)).not.toContain(KEY.slice(8, 16));
    }
  });

  it("that quotes it across two pieces is not shown either", async () => {
    const body = wholeBody(`key ${KEY.slice(0, 20)}`, `${KEY.slice(20)} is bad`);
    expect(reasonOf(await check(body))).toBe("upstream_key_rejected");
  });

  it.each([
    ["masked as OpenAI does", `Incorrect API key provided: sk-proj-${"*".repeat(20)}Op56.`],
    ["another key", "bad key sk-proj-Zz99Yy88Xx77Ww66Vv55Uu44Tt33Ss22"],
    ["nothing of it", '{"error":{"message":"overloaded"}}'],
    ["its public prefix", "keys begin with sk-proj-"],
    ["an empty body", ""],
  ])("that holds %s is handed on: status, text, headers and bytes", async (_, body) => {
    const headers = { "content-type": "application/json", "retry-after": "5", "request-id": "r" };
    const answer = accepted(await check(body, { status: 429, headers }));
    expect(answer.status).toBe(429);
    expect(await answer.text()).toBe(body);
    expect(Object.fromEntries(answer.headers)).toEqual({
      ...headers,
      "content-length": String(utf8(body).length),
    });
  });

  it("came in chunks, it now has a length and no chunks", async () => {
    const answer = accepted(await check("overloaded", { headers: { "transfer-encoding": "chunked" } }));
    expect(Object.fromEntries(answer.headers)).toEqual({ "content-length": "10" });
  });

  it("without a body stays without one", async () => {
    const answer = accepted(await check(null, { status: 404, headers: { "content-length": "0" } }));
    expect(answer.body).toBeNull();
    expect(answer.headers.get("content-length")).toBe("0");
  });

  it("that was compressed is no longer said to be: its bytes have been decoded", async () => {
    const answer = accepted(
      await check("{}", { headers: { "content-encoding": "gzip", "content-length": "99" } }),
    );
    expect(answer.headers.has("content-encoding")).toBe(false);
    expect(answer.headers.get("content-length")).toBe("2");
  });

  it.each([200, 204, 304])("a %i is not looked at, and handed on as it is", async (status) => {
    const response = new Response(status === 200 ? wholeBody(KEY) : null, { status });
    expect(await rejectKeyEcho(response, KEY, new AbortController(), 1)).toBe(response);
    expect(response.bodyUsed).toBe(false);
  });

  it("over 1 MiB is E502, and 1 MiB is not", async () => {
    const mib = "x".repeat(1024 * 1024);
    expect((await accepted(await check(mib)).text()).length).toBe(mib.length);
    expect(reasonOf(await check(`${mib}x`))).toBe("upstream_unreachable");
  });

  it("that breaks off is E502", async () => {
    const body = upstreamBody();
    body.send("{");
    const checking = check(body.stream);
    body.fail();
    const refusal = await checking;
    expect(reasonOf(refusal)).toBe("upstream_unreachable");
    expect(statusOf(refusal)).toBe(502);
  });
});

describe("an error answer that never ends", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is ended at the deadline", async () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    const body = upstreamBody().failWith(abort.signal);
    body.send("{");
    const checking = check(body.stream, {}, abort);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(abort.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(abort.signal.aborted).toBe(true);
    expect(reasonOf(await checking)).toBe("upstream_unreachable");
  });

  it("and one that ends leaves no timer behind, and ends nothing", async () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    accepted(await check("{}", {}, abort));
    expect(vi.getTimerCount()).toBe(0);
    expect(abort.signal.aborted).toBe(false);
  });
});

describe("C17 a run of the key", () => {
  it("any of 16 or more characters is found, wherever it begins", () => {
    for (const key of [KEY, KEY.slice(0, 31), KEY.slice(0, 24), KEY.slice(0, 16)]) {
      const missed = Array.from({ length: key.length - 15 }, (_, at) => at).filter(
        (at) => !containsKey(`…${key.slice(at, at + 16)}…`, key),
      );
      expect(missed).toEqual([]);
    }
  });

  it("none of 7 is taken for one", () => {
    for (let at = 0; at + 7 <= KEY.length; at += 1)
      expect(containsKey(KEY.slice(at, at + 7), KEY)).toBe(false);
  });

  it("a short key is found whole", () => {
    expect(containsKey("key abc123 is bad", "abc123")).toBe(true);
    expect(containsKey("key abc12 is bad", "abc123")).toBe(false);
    expect(containsKey("x fifteen-chars15 x", "fifteen-chars15")).toBe(true);
  });
});
