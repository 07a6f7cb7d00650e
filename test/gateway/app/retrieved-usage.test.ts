/** Usage of background responses and batches: read later, and counted once, for their creator. */
import { describe, expect, it } from "vitest";
import { json, post, OWN_KEY } from "../../support/in-workerd/calls.ts";
import { openGatewayWithLedger } from "../../support/in-workerd/ledger-gateway.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { rechunk } from "../../support/rechunk.ts";

const QUEUED = { id: "resp_bg", object: "response", status: "queued", model: "gpt-5.1", output: [] };
const DONE = {
  ...QUEUED,
  status: "completed",
  usage: { input_tokens: 900, output_tokens: 80, total_tokens: 980 },
};
const BACKGROUND = JSON.stringify({ model: "gpt-5.1", input: "Think", background: true });
const OTHER_KEY = { authorization: "Bearer sk-CANARY-another-key-0123456789abcdef" };
const get = (headers: Record<string, string> = OWN_KEY): RequestInit => ({ headers });

const result = (customId: string, output: number): string =>
  JSON.stringify({
    custom_id: customId,
    result: {
      type: "succeeded",
      message: {
        id: `msg_${customId}`,
        type: "message",
        model: "claude-9",
        usage: { input_tokens: 10, output_tokens: output },
      },
    },
  });
const FAILED = JSON.stringify({ custom_id: "bad", result: { type: "errored", error: { type: "error" } } });
const RESULTS = `${[result("a", 1), FAILED, result("b", 2), "no JSON", result("c", 3)].join("\n")}\n`;

type Usage = { readonly id: string; readonly interception_id: string; readonly output_tokens: number };
const usagesOf = (rows: Readonly<Record<string, readonly object[]>>): readonly Usage[] =>
  (rows["token_usages"] ?? []) as readonly Usage[];

describe("a background response", () => {
  it("is counted once, at its creator, for each reader and each reading", async () => {
    const gateway = await openGatewayWithLedger({
      provider: ({ method, url }) =>
        json(JSON.stringify(method === "POST" ? QUEUED : url.includes("pending") ? QUEUED : DONE)),
    });
    const created = await gateway.exchange("/openai/v1/responses", post(BACKGROUND));
    const creator = created.events[0];
    const { events } = await gateway.exchange("/openai/v1/responses/resp_bg", get(OTHER_KEY));
    expect(events).toMatchObject([
      { record_type: "passthrough_start" },
      {
        record_type: "retrieved_usage",
        usage_of: "openai/resp_bg",
        input_tokens: 900,
        output_tokens: 80,
        usage: "final",
      },
      { record_type: "passthrough", usage_of: "openai/resp_bg", result_count: 1, input_tokens: 900 },
    ]);
    await gateway.exchange("/openai/v1/responses/resp_bg", get());
    const rows = await gateway.rows();
    expect(usagesOf(rows)).toMatchObject([
      { id: "openai/resp_bg", interception_id: creator?.interception_id, output_tokens: 80 },
    ]);
    expect(rows["interceptions"]).toMatchObject([
      { outcome: "queued", usage: "unknown", claimed_usage: "final", claimed_output_tokens: 80 },
    ]);
  });

  it("has no usage while it is not done", async () => {
    const gateway = await openGatewayWithLedger({ provider: () => json(JSON.stringify(QUEUED)) });
    await gateway.exchange("/openai/v1/responses", post(BACKGROUND));
    const { events } = await gateway.exchange("/openai/v1/responses/resp_bg", get());
    expect(events).toMatchObject([
      { record_type: "passthrough_start" },
      { record_type: "passthrough", result_count: 0, input_tokens: null },
    ]);
    expect(usagesOf(await gateway.rows())).toEqual([]);
  });

  // Its usage was counted when it was produced.
  it("that was not one is not counted again", async () => {
    const gateway = await openGatewayWithLedger({ provider: () => json(JSON.stringify(DONE)) });
    await gateway.exchange("/openai/v1/responses", post(JSON.stringify({ model: "gpt-5.1", input: "Hi" })));
    await gateway.exchange("/openai/v1/responses/resp_bg", get());
    const rows = await gateway.rows();
    expect(rows["interceptions"]).toMatchObject([
      { usage: "final", input_tokens: 900, output_tokens: 80, claimed_usage: null },
    ]);
    expect(usagesOf(rows)).toEqual([]);
  });
});

describe("a batch", () => {
  it("has the usage of each result, at its creator, when the results are read", async () => {
    // The id of a request has the harness's fixed part; each result has an id of its own.
    let isReading = false;
    const gateway = await openGatewayWithLedger({
      parts: { randomUuid: () => (isReading ? crypto.randomUUID() : "01234567-89ab-4abc-8def-0123456789ab") },
      provider: ({ method }) =>
        (isReading = method === "GET") === false
          ? json('{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress"}')
          : new Response(wholeBody(...rechunk(utf8(RESULTS), 7, 50)), {
              headers: { "content-type": "application/x-jsonl" },
            }),
    });
    const path = "/anthropic/v1/messages/batches";
    const { events: created } = await gateway.exchange(path, post('{"requests":[]}'));
    const read = await gateway.exchange(`${path}/msgbatch_1/results`, get(OTHER_KEY));
    expect(read.text).toBe(RESULTS);
    expect(read.events.at(-1)).toMatchObject({
      record_type: "passthrough",
      usage_of: "anthropic/msgbatch_1",
      result_count: 3,
      input_tokens: 30,
      output_tokens: 6,
    });
    isReading = false;
    await gateway.exchange(`${path}/msgbatch_1/results`, get());
    const rows = await gateway.rows();
    expect(usagesOf(rows).map(({ id, output_tokens: output }) => [id, output])).toEqual([
      ["anthropic/msgbatch_1/a", 1],
      ["anthropic/msgbatch_1/b", 2],
      ["anthropic/msgbatch_1/c", 3],
    ]);
    expect(new Set(usagesOf(rows).map(({ interception_id: id }) => id))).toEqual(
      new Set([created[0]?.interception_id]),
    );
    expect(rows["interceptions"]).toMatchObject([
      { outcome: "queued", usage: "unknown", claimed_usage: "partial", claimed_output_tokens: 6 },
    ]);
  });

  // The attack: custom ids that differ only behind the 256 characters that are kept, or are missing. The usage of the first
  // result was then that of all.
  it("has the usage of each result, with any custom id", async () => {
    const long = "x".repeat(300);
    const ids = [`${long}1`, `${long}2`, "", undefined, null, 7, "#1", "a"];
    const lines = ids
      .map((id) => JSON.stringify({ ...JSON.parse(result("m", 5)), custom_id: id }))
      .join("\n");
    let isReading = false;
    const gateway = await openGatewayWithLedger({
      parts: { randomUuid: () => (isReading ? crypto.randomUUID() : "01234567-89ab-4abc-8def-0123456789ab") },
      provider: ({ method }) => {
        isReading = method === "GET";
        return isReading ? json(lines) : json('{"id":"msgbatch_1","type":"message_batch"}');
      },
    });
    const path = "/anthropic/v1/messages/batches";
    await gateway.exchange(path, post('{"requests":[]}'));
    for (let reading = 1; reading <= 2; reading += 1) {
      isReading = false;
      await gateway.exchange(`${path}/msgbatch_1/results`, get());
    }
    const stored = usagesOf(await gateway.rows());
    expect(stored.map(({ id }) => id)).toEqual(
      ["#1", "#2", "#3", "#4", "#5", "#6", "#7", "a"].map((name) => `anthropic/msgbatch_1/${name}`),
    );
    expect(stored.reduce((sum, { output_tokens: output }) => sum + output, 0)).toBe(40);
  });

  it.each([
    ["before its results are read", ["batch", "file"]],
    ["after its results are read", ["file", "batch"]],
    ["in a list of batches", ["list", "file"]],
    ["repeatedly", ["batch", "file", "list", "file", "batch"]],
  ] as const)("of OpenAI has it too, where the file of its results is named %s", async (_, reads) => {
    const batch = { id: "batch_1", object: "batch", status: "in_progress", output_file_id: null };
    const done = { ...batch, status: "completed", output_file_id: "file-out", error_file_id: "file-err" };
    const other = { ...done, id: "batch_2", output_file_id: "file-other" };
    const lines = ["a", "b"].map((id) =>
      JSON.stringify({
        custom_id: id,
        response: { body: { id, usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } } },
      }),
    );
    const bodies = {
      "POST /openai/v1/batches": JSON.stringify(batch),
      "GET /v1/batches/batch_1": JSON.stringify(done),
      "GET /v1/batches": JSON.stringify({ object: "list", data: [other, done] }),
      "GET /v1/files/file-out/content": lines.join("\n"),
    } as const;
    const paths = { batch: "/batches/batch_1", list: "/batches", file: "/files/file-out/content" } as const;
    let isReading = false;
    const gateway = await openGatewayWithLedger({
      parts: {
        randomUuid: () => (isReading ? crypto.randomUUID() : "01234567-89ab-4abc-8def-0123456789ab"),
      },
      provider: ({ method, url }) => {
        isReading = method === "GET";
        return json(
          method === "POST"
            ? bodies["POST /openai/v1/batches"]
            : bodies[`GET ${new URL(url).pathname}` as keyof typeof bodies],
        );
      },
    });
    const { events: created } = await gateway.exchange(
      "/openai/v1/batches",
      post('{"input_file_id":"file-in"}'),
    );
    for (const read of reads) {
      isReading = false;
      await gateway.exchange(`/openai/v1${paths[read]}`, get(OTHER_KEY));
    }
    const rows = await gateway.rows();
    const creator = created[0]?.interception_id;
    expect(usagesOf(rows)).toMatchObject([
      { id: "openai/file-out/a", interception_id: creator, output_tokens: 2 },
      { id: "openai/file-out/b", interception_id: creator, output_tokens: 2 },
    ]);
    expect(rows["interceptions"]).toMatchObject([
      { outcome: "queued", usage: "unknown", claimed_usage: "partial", claimed_output_tokens: 4 },
    ]);
  });

  // A client can upload a file that looks like the results of a batch, and read it.
  it("gives no one the usage in a file that no batch made", async () => {
    const line = {
      custom_id: "a",
      response: { body: { id: "x", usage: { prompt_tokens: 9, completion_tokens: 9 } } },
    };
    const gateway = await openGatewayWithLedger({ provider: () => json(JSON.stringify(line)) });
    await gateway.exchange("/openai/v1/files/file-1/content", get());
    const rows = await gateway.rows();
    expect(usagesOf(rows)).toEqual([]);
    expect(rows["retrieved_usages"]).toHaveLength(1);
  });
});
