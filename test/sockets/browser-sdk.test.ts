/**
 * The providers' SDKs as a web page uses them, against the emulated provider. The page's `fetch` does what a browser does:
 * it sends a preflight request first, and shows the page only what the response permits
 * (https://fetch.spec.whatwg.org/#http-cors-protocol).
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, describe, expect, it } from "vitest";
import { startEmulator } from "../../tools/emulator/server.ts";
import { interceptorOptions, OWN_KEY, startCheckedInterceptor, uniqueModel } from "./exchange.ts";

const emulator = await startEmulator({ port: 0, eventMs: 0, slowMs: 50 });
afterAll(() => emulator.close());

const ORIGIN = "https://app.example";
const options = interceptorOptions(emulator.url);
const interceptor = await startCheckedInterceptor({
  ...options,
  vars: { ...options.vars, CORS: { origins: [ORIGIN] } },
});

/** https://fetch.spec.whatwg.org/#cors-safelisted-request-header, as far as the SDKs send them. */
const SAFE = new Set(["accept", "accept-language", "content-language"]);

const pageFetch =
  (origin: string): typeof fetch =>
  async (input, init) => {
    const request = new Request(input, init);
    const names = [...request.headers.keys()].filter((name) => !SAFE.has(name));
    const preflight = await fetch(request.url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": request.method,
        "access-control-request-headers": names.join(","),
      },
    });
    const list = (name: string): string[] => (preflight.headers.get(name) ?? "").split(/,\s*/);
    const isAllowed =
      preflight.ok &&
      preflight.headers.get("access-control-allow-origin") === origin &&
      list("access-control-allow-methods").includes(request.method) &&
      names.every((name) => list("access-control-allow-headers").includes(name));
    if (!isAllowed) throw new TypeError("Failed to fetch");
    request.headers.set("origin", origin);
    const response = await fetch(request);
    if (response.headers.get("access-control-allow-origin") !== origin)
      throw new TypeError("Failed to fetch");
    const exposed = new Set((response.headers.get("access-control-expose-headers") ?? "").split(", "));
    const visible = [...response.headers].filter(([name]) => name === "content-type" || exposed.has(name));
    return new Response(response.body, { status: response.status, headers: visible });
  };

const sdkOptions = (base: string, origin: string) => ({
  baseURL: `${interceptor.url}${base}`,
  apiKey: OWN_KEY,
  maxRetries: 0,
  dangerouslyAllowBrowser: true,
  fetch: pageFetch(origin),
});

describe("an SDK in a web page", () => {
  it("of OpenAI streams a response of a listed origin, and sees the id of the interception", async () => {
    const model = uniqueModel();
    const call = new OpenAI(sdkOptions("/openai/v1", ORIGIN)).chat.completions.create({
      model,
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
    });
    const { data, response } = await call.withResponse();
    let chunks = 0;
    for await (const chunk of data) chunks += chunk.choices.length;
    expect(chunks).toBeGreaterThan(1);
    const { end } = await interceptor.recorded(response.headers.get("x-interception-id") ?? "");
    expect([end.model, end.outcome]).toEqual([model, "completed"]);
  });

  it("of Anthropic gets a message", async () => {
    const message = await new Anthropic(sdkOptions("/anthropic", ORIGIN)).messages.create({
      model: uniqueModel(),
      max_tokens: 64,
      messages: [{ role: "user", content: "Hello" }],
    });
    expect(message.content[0]?.type).toBe("text");
  });

  it("sees why it is refused", async () => {
    const call = new OpenAI({ ...sdkOptions("/openai/v1", ORIGIN), apiKey: "aei_unknown" }).models.list();
    await expect(call).rejects.toMatchObject({ status: 401, code: "invalid_credential" });
  });

  it("gets nothing where its origin is not listed", async () => {
    const call = new OpenAI(sdkOptions("/openai/v1", "https://other.example")).models.list();
    await expect(call).rejects.toThrow("Connection error");
  });
});
