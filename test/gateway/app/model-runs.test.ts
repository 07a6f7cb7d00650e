/** Every call that runs a model is an interception, whichever API it belongs to. */
import { describe, expect, it } from "vitest";
import { json, OWN_KEY, post, sse, typesOf } from "../../support/in-workerd/calls.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";

const B = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
const part = (name: string, value: string, more = ""): string =>
  `--${B}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
const file = (size: number): string =>
  part("file", "x".repeat(size), '; filename="a.mp3"\r\nContent-Type: audio/mpeg');
const form = (...parts: readonly string[]): RequestInit => {
  const body = utf8(`${parts.join("")}--${B}--\r\n`);
  return {
    method: "POST",
    body,
    headers: {
      ...OWN_KEY,
      "content-type": `multipart/form-data; boundary=${B}`,
      "content-length": String(body.byteLength),
    },
  };
};
const request = (fields: object): RequestInit => post(JSON.stringify({ model: "m", ...fields }));
const dataEvents = (...events: readonly object[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

const figures = (input: number | null, output: number | null, usage = "final") => ({
  outcome: "completed",
  usage,
  input_tokens: input,
  output_tokens: output,
});
const UNKNOWN = figures(null, null, "unknown");
const EMBEDDINGS = { object: "list", model: "m-1", data: [{ embedding: [0.1] }] };
const IMAGE_USAGE = {
  input_tokens: 50,
  output_tokens: 4160,
  total_tokens: 4210,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 },
};
const COMPACTED = {
  id: "resp_c",
  object: "response.compaction",
  output: [],
  usage: { input_tokens: 180_000, output_tokens: 900, total_tokens: 180_900 },
};

describe("the record of a call that runs a model", () => {
  it.each([
    [
      "embeddings",
      "/openai/v1/embeddings",
      request({ input: "x" }),
      () => json(JSON.stringify({ ...EMBEDDINGS, usage: { prompt_tokens: 8, total_tokens: 8 } })),
      figures(8, 0),
    ],
    [
      "embeddings with only a total",
      "/openai/v1/embeddings",
      request({ input: ["x"] }),
      () => json(JSON.stringify({ ...EMBEDDINGS, usage: { total_tokens: 8 } })),
      figures(8, 0),
    ],
    [
      "text completions",
      "/openai/v1/completions",
      request({ prompt: "Once" }),
      () =>
        json(
          JSON.stringify({
            id: "cmpl-1",
            model: "m-1",
            choices: [{ index: 0, text: "x", finish_reason: "stop" }],
            usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
          }),
        ),
      figures(3, 2),
    ],
    [
      "moderations",
      "/openai/v1/moderations",
      request({ input: "x" }),
      () => json('{"id":"modr-1","model":"m-1","results":[]}'),
      UNKNOWN,
    ],
    [
      "ranking",
      "/openai/v1/rerank",
      request({ query: "x", documents: [] }),
      () => json('{"id":"r-1","model":"m-1","results":[],"usage":{"total_tokens":21}}'),
      figures(21, 0),
    ],
    [
      "a compaction",
      "/openai/v1/responses/compact",
      request({ input: "x" }),
      () => json(JSON.stringify(COMPACTED)),
      figures(180_000, 900),
    ],
    [
      "images",
      "/openai/v1/images/generations",
      request({ prompt: "a cat" }),
      () => json(JSON.stringify({ created: 1, data: [{ b64_json: "AA==" }], usage: IMAGE_USAGE })),
      figures(50, 4160),
    ],
    [
      "streamed images",
      "/openai/v1/images/generations",
      request({ prompt: "a cat", stream: true }),
      () =>
        sse(
          wholeBody(
            dataEvents(
              { type: "image_generation.partial_image", b64_json: "AA==" },
              { type: "image_generation.completed", b64_json: "AA==", usage: IMAGE_USAGE },
            ),
          ),
        ),
      figures(50, 4160),
    ],
    [
      "speech",
      "/openai/v1/audio/speech",
      request({ input: "Hello", voice: "v" }),
      () =>
        new Response(wholeBody(Uint8Array.of(0xff, 0xf3, 0, 1)), {
          headers: { "content-type": "audio/mpeg" },
        }),
      UNKNOWN,
    ],
    [
      "streamed speech",
      "/openai/v1/audio/speech",
      request({ input: "Hello", stream_format: "sse" }),
      () =>
        sse(
          wholeBody(
            dataEvents(
              { type: "speech.audio.delta", audio: "AA==" },
              { type: "speech.audio.done", usage: { input_tokens: 4, output_tokens: 30, total_tokens: 34 } },
            ),
          ),
        ),
      figures(4, 30),
    ],
    [
      "a transcription",
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m")),
      () =>
        json(
          '{"text":"Hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":3,"total_tokens":17,"input_token_details":{"audio_tokens":14}}}',
        ),
      figures(14, 3),
    ],
    [
      "a transcription that is charged by its length",
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m")),
      () => json('{"text":"Hello","usage":{"type":"duration","seconds":8.2}}'),
      {
        usage: "final",
        input_tokens: null,
        output_tokens: null,
      },
    ],
    [
      "a streamed transcription that is charged by its length",
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m"), part("stream", "true")),
      () =>
        sse(
          wholeBody(
            dataEvents(
              { type: "transcript.text.delta", delta: "Hel" },
              {
                type: "transcript.text.done",
                text: "Hello",
                usage: {
                  prompt_audio_seconds: 203,
                  prompt_tokens: 4,
                  completion_tokens: 6,
                  total_tokens: 10,
                },
              },
            ),
          ),
        ),
      figures(4, 6),
    ],
    [
      "a transcription whose length is no figure",
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m")),
      () => json('{"text":"Hello","usage":{"type":"duration","seconds":"many"}}'),
      UNKNOWN,
    ],
    [
      "a transcription of a large file",
      "/openai/v1/audio/transcriptions",
      form(file(300_000), part("model", "m")),
      () => json('{"text":"Hello"}'),
      UNKNOWN,
    ],
    [
      "a transcription as text",
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m")),
      () => new Response(wholeBody("[Music] Hello"), { headers: { "content-type": "text/plain" } }),
      UNKNOWN,
    ],
    [
      "an image's edit",
      "/openai/v1/images/edits",
      form(part("model", "m"), file(40)),
      () => json(JSON.stringify({ data: [], usage: IMAGE_USAGE })),
      figures(50, 4160),
    ],
  ] as const)("of %s", async (_, path, init, provider, end) => {
    const gateway = await openGateway({ provider });
    const { events, response } = await gateway.exchange(path, init);
    expect(response.status).toBe(200);
    expect(typesOf(events).filter((type) => type.startsWith("interception"))).toEqual([
      "interception_start",
      "interception_end",
    ]);
    expect(events.at(-1)?.record_type === "interception_end" || events.length > 2).toBe(true);
    const ended = events.find(({ record_type: type }) => type === "interception_end");
    expect(ended).toMatchObject({ model: "m", ...end });
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(
      typeof init.body === "string" ? init.body : text(init.body as Uint8Array),
    );
  });

  it.each([
    [
      "/openai/v1/batches",
      '{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}',
      '{"id":"batch_1","status":"validating"}',
    ],
    [
      "/anthropic/v1/messages/batches",
      '{"requests":[{"custom_id":"a","params":{}}]}',
      '{"id":"batch_1","processing_status":"in_progress"}',
    ],
  ])("of a batch at %s: queued, under the batch's id", async (path, body, created) => {
    const gateway = await openGateway({ provider: () => json(created) });
    const { events } = await gateway.exchange(path, post(body));
    expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
    expect(events[1]).toMatchObject({ outcome: "queued", usage: "unknown", msg_id: "batch_1", model: null });
    expect((await gateway.exchange(`${path}/batch_1`, { headers: OWN_KEY })).events).toMatchObject([
      { record_type: "passthrough_start" },
      { record_type: "passthrough" },
    ]);
  });
});

describe("a form", () => {
  const limited = {
    PROVIDERS: { openai: { type: "openai", base_url: "https://api.openai.example/v1", models: ["m"] } },
  };

  it("Case F2 is recorded and refused where its model is not permitted, and nothing complete reaches the provider", async () => {
    const gateway = await openGateway({ vars: limited, provider: () => json("{}") });
    const { events, response } = await gateway.exchange(
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "dear")),
    );
    expect(response.status).toBe(403);
    expect(typesOf(events)).toEqual(["interception_start", "interception_end", "refusal"]);
    expect(events[1]).toMatchObject({ outcome: "refused", error: "model_not_allowed", model: "dear" });
    expect(gateway.sent).toEqual([]);
  });

  it("with two models is refused with 400", async () => {
    const gateway = await openGateway({ provider: () => json("{}") });
    const init = form(part("model", "m"), file(40), part("model", "dear"));
    const { response, events } = await gateway.exchange("/openai/v1/audio/transcriptions", init);
    expect(response.status).toBe(400);
    expect(typesOf(events).at(-1)).toBe("refusal");
    expect(gateway.sent).toEqual([]);
  });

  it("is not forwarded completely where its start cannot be recorded", async () => {
    const required = {
      kind: "awaited",
      name: "queue",
      required: true,
      write: () => Promise.reject(new Error("no")),
    } as const;
    const gateway = await openGateway({ provider: () => json("{}"), sinks: [required] });
    const { response } = await gateway.exchange(
      "/openai/v1/audio/transcriptions",
      form(file(40), part("model", "m")),
    );
    expect(response.status).toBe(503);
    expect(gateway.sent).toEqual([]);
  });
});
