/**
 * The emulated provider's quirks through the interceptor: the client gets the bytes that it would get without it, and the
 * record is the same as in `test/gateway/observation/quirks.test.ts`.
 */
import { afterAll, describe, expect, it } from "vitest";
import { QUIRKS, type Quirk } from "../../tools/emulator/quirks.ts";
import { startEmulator } from "../../tools/emulator/server.ts";
import { QUIRK_CASES } from "../support/quirk-cases.ts";
import { interceptorOptions, OWN_KEY, startCheckedInterceptor } from "./exchange.ts";

const emulator = await startEmulator({ port: 0, eventMs: 0, slowMs: 0 });
afterAll(() => emulator.close());
const interceptor = await startCheckedInterceptor(interceptorOptions(emulator.url));

const messages = [{ role: "user", content: "Hi" }];
const cases = Object.entries(QUIRKS) as [keyof typeof QUIRKS, Quirk][];

/** The request has the usage option itself, so that nothing is removed from the stream; but for the quirk that rejects it. */
function call(url: string, { path }: Quirk, model: string, stream: boolean): Promise<Response> {
  const hasOption = stream && path === "/v1/chat/completions" && model !== "quirk-rejects-usage-option";
  const options = hasOption ? { stream_options: { include_usage: true } } : {};
  const fields = path === "/v1/responses" ? { input: "Hi" } : { messages, max_tokens: 9 };
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      authorization: `Bearer ${OWN_KEY}`,
    },
    body: JSON.stringify({ model, stream, ...fields, ...options }),
  });
}

describe("a quirk of a provider over sockets", () => {
  it.each(cases)("%s", async (name, quirk) => {
    for (const stream of [true, false]) {
      const provider = quirk.path === "/v1/messages" ? "anthropic" : "openai";
      const direct = await call(`${emulator.url}${quirk.path}`, quirk, name, stream);
      const through = await call(`${interceptor.url}/${provider}${quirk.path}`, quirk, name, stream);
      expect(through.status).toBe(direct.status);
      expect(await through.text()).toBe(await direct.text());
      const id = through.headers.get("x-interception-id") ?? "";
      expect((await interceptor.recorded(id)).end).toMatchObject(QUIRK_CASES[name]);
    }
  });
});
