/** Multipart forms with a list of models: OpenAI's SDK sends the file before the model. */
import { randomBytes } from "node:crypto";
import OpenAI, { toFile } from "openai";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import * as respond from "../support/response-steps.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { interceptorOptions, OWN_KEY, startCheckedInterceptor } from "./exchange.ts";

const MIB = 1024 * 1024;
const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const interceptor = await startCheckedInterceptor(
  interceptorOptions(
    upstream.url,
    { body_bytes: MIB, upload_bytes: 32 * MIB },
    { limited: { type: "openai", base_url: `${upstream.url}/v1`, models: ["whisper-1", "gpt-image-1"] } },
  ),
);
const client = new OpenAI({ baseURL: `${interceptor.url}/limited/v1`, apiKey: OWN_KEY, maxRetries: 0 });

/** Smaller than a piece, held in memory, and streamed past `body_bytes`. */
const SIZES = [1000, 200 * 1024, 8 * MIB];

describe("a form of OpenAI's SDK", () => {
  it.each(SIZES)("D12 transcribes %i bytes with an allowed model", async (size) => {
    upstream.respondWith(respond.json(200, { text: "hello" }));
    const sound = randomBytes(size);
    const file = await toFile(sound, "a.mp3");
    const { text } = await client.audio.transcriptions.create({ file, model: "whisper-1", language: "en" });
    expect(text).toBe("hello");
    const body = Buffer.from(upstream.requests[0]?.body() ?? []);
    expect(body.includes(sound)).toBe(true);
    expect(body.includes('name="model"\r\n\r\nwhisper-1')).toBe(true);
  });

  it("D12 edits several large images with an allowed model", async () => {
    upstream.respondWith(respond.json(200, { created: 1, data: [] }));
    const image = await Promise.all([1, 2, 3].map((n) => toFile(randomBytes(MIB), `${n}.png`)));
    const result = await client.images.edit({ image, prompt: "x".repeat(32_000), model: "gpt-image-1" });
    expect(result.data).toEqual([]);
  });

  it.each(SIZES)("D12 is refused with 403 with %i bytes and another model", async (size) => {
    upstream.respondWith(respond.json(200, { text: "hello" }));
    const file = await toFile(randomBytes(size), "a.mp3");
    const call = client.audio.transcriptions.create({ file, model: "gpt-4o-transcribe" });
    await expect(call).rejects.toMatchObject({ status: 403, code: "model_not_allowed" });
    // Nothing complete reached the provider: neither the closing boundary nor the whole length.
    for (const request of upstream.requests)
      expect(Buffer.from(request.body()).includes("gpt-4o-transcribe")).toBe(false);
  });

  it("D12 is refused with 400 with two models", async () => {
    upstream.respondWith(respond.json(200, { text: "hello" }));
    const form = new FormData();
    form.append("model", "whisper-1");
    form.append("file", new Blob([randomBytes(2 * MIB)]), "a.mp3");
    form.append("model", "gpt-4o-transcribe");
    const url = `${interceptor.url}/limited/v1/audio/transcriptions`;
    const headers = { authorization: `Bearer ${OWN_KEY}` };
    const response = await fetch(url, { method: "POST", headers, body: form });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([400, "form_invalid"]);
  });
});
