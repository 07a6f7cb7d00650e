/** `POST /v1/responses`: the response object. `openai-responses-stream.ts` builds its stream. */
import type OpenAI from "openai";
import { composeOutput, type ModelOutput } from "./model-output.ts";
import { arrayAt, numberAt, objectAt, stringAt, type JsonObject } from "./json.ts";
import { responseEvents, type WireResponse } from "./openai-responses-stream.ts";
import { json, namedEvent, type Reply } from "./reply.ts";
import type { ToolCall } from "./tool-calls.ts";
import { freshId, type Figures } from "./tokens.ts";

type Item = OpenAI.Responses.ResponseOutputItem;

export function createResponse(body: JsonObject, model: string): Reply {
  const reasoning = objectAt(body, "reasoning");
  const output = composeOutput(body, {
    model,
    think: reasoning !== undefined && reasoning["effort"] !== "none",
    maxTokens: numberAt(body, "max_output_tokens"),
  });
  const response = ended(inProgress(body, model), output, outputItems(output, summaryWanted(reasoning)));
  // The client fetches a background response later; this first reply has neither output nor usage.
  if (body["background"] === true)
    return json({ ...inProgress(body, model), status: "queued", background: true });
  if (body["stream"] !== true) return json(response);
  const events = responseEvents(response);
  const failure = {
    type: "error",
    code: "server_error",
    message: FAILURE,
    param: null,
    sequence_number: events.length,
  };
  return { kind: "stream", events, failure: namedEvent(failure) };
}

const FAILURE = "The server had an error while processing your request. Sorry about that!";

function summaryWanted(reasoning: JsonObject | undefined): boolean {
  const summary = stringAt(reasoning, "summary");
  return summary !== undefined && summary !== "none";
}

function inProgress(body: JsonObject, model: string): WireResponse {
  return {
    id: freshId("resp_", 48),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status: "in_progress",
    access_programs: null,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: stringAt(body, "instructions") ?? null,
    max_output_tokens: numberAt(body, "max_output_tokens") ?? null,
    model,
    output: [],
    parallel_tool_calls: body["parallel_tool_calls"] !== false,
    previous_response_id: stringAt(body, "previous_response_id") ?? null,
    reasoning: { effort: null, summary: null, ...objectAt(body, "reasoning") },
    service_tier: "default",
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    // Echoed unchanged: the emulator does not validate them.
    tools: arrayAt(body, "tools") as OpenAI.Responses.Tool[],
    top_p: 1,
    truncation: "disabled",
    metadata: {},
  };
}

function ended(start: WireResponse, output: ModelOutput, items: Item[]): WireResponse {
  const end = { ...start, output: items, usage: responsesUsage(output.figures) };
  if (output.truncated && output.calls.length === 0) {
    return { ...end, status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  }
  return { ...end, status: "completed", completed_at: start.created_at };
}

function outputItems(output: ModelOutput, withSummary: boolean): Item[] {
  const summary = withSummary ? [{ type: "summary_text" as const, text: output.thought }] : [];
  const reasoning: Item = { type: "reasoning", id: freshId("rs_", 48), summary };
  const status = output.truncated ? "incomplete" : "completed";
  const message: Item = {
    type: "message",
    id: freshId("msg_", 48),
    role: "assistant",
    status,
    content: [{ type: "output_text", text: output.text, annotations: [], logprobs: [] }],
  };
  const calls = output.calls.map(callItem);
  return [...(output.thought === "" ? [] : [reasoning]), ...(calls.length > 0 ? calls : [message])];
}

function callItem(call: ToolCall): Item {
  const { name, input, namespace } = call;
  const named = { call_id: freshId("call_"), name, ...(namespace !== undefined && { namespace }) };
  if (typeof input === "string")
    return { type: "custom_tool_call", id: freshId("ctc_", 48), ...named, input };
  const text = JSON.stringify(input);
  return { type: "function_call", id: freshId("fc_", 48), ...named, arguments: text, status: "completed" };
}

/** `input_tokens` is the whole prompt here, cache reads and cache writes included. */
function responsesUsage({
  fresh,
  cached,
  written,
  output,
  reasoning,
}: Figures): OpenAI.Responses.ResponseUsage {
  const input = fresh + cached + written;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  };
}
