/** `POST /v1/chat/completions`, in JSON and as a stream. */
import type OpenAI from "openai";
import { composeOutput, type ModelOutput } from "./model-output.ts";
import { objectAt, numberAt, stringAt, type JsonObject } from "./json.ts";
import { json, type Reply, type SseEvent } from "./reply.ts";
import { freshId, streamPieces, type Figures } from "./tokens.ts";

type Chunk = OpenAI.Chat.ChatCompletionChunk;
type Delta = Chunk["choices"][number]["delta"];
type Finish = OpenAI.Chat.ChatCompletion["choices"][number]["finish_reason"];
type Head = { readonly id: string; readonly created: number; readonly model: string };
type Call = { readonly id: string; readonly name: string; readonly arguments: string };

export function createChatCompletion(body: JsonObject, model: string): Reply {
  const effort = stringAt(body, "reasoning_effort");
  const output = composeOutput(body, {
    model,
    think: effort !== undefined && effort !== "none",
    maxTokens: numberAt(body, "max_completion_tokens") ?? numberAt(body, "max_tokens"),
  });
  const head = { id: freshId("chatcmpl-", 29), created: Math.floor(Date.now() / 1000), model };
  const allCalls = output.calls.map((call) => ({
    id: freshId("call_"),
    name: call.name,
    arguments: JSON.stringify(call.input),
  }));
  const calls = body["parallel_tool_calls"] === false ? allCalls.slice(0, 1) : allCalls;
  if (body["stream"] !== true) return json(completion(head, output, calls));
  const withUsage = objectAt(body, "stream_options")?.["include_usage"] === true;
  return {
    kind: "stream",
    events: chatEvents(head, output, calls, withUsage),
    failure: { data: JSON.stringify({ error: SERVER_ERROR }) },
  };
}

const SERVER_ERROR = {
  message: "The server had an error while processing your request. Sorry about that!",
  type: "server_error",
  param: null,
  code: null,
};

function completion(head: Head, output: ModelOutput, calls: readonly Call[]): OpenAI.Chat.ChatCompletion {
  const toolCalls = calls.map(({ id, name, arguments: input }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: input },
  }));
  const message = {
    role: "assistant" as const,
    content: calls.length > 0 ? null : output.text,
    refusal: null,
    annotations: [],
    ...(calls.length > 0 && { tool_calls: toolCalls }),
  };
  return {
    ...head,
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(output, calls) }],
    usage: chatUsage(output.figures),
    service_tier: "default",
    system_fingerprint: FINGERPRINT,
  };
}

const FINGERPRINT = "fp_emulated";

/** With `withUsage`, `usage` is null on every chunk except an additional last one; without it no chunk has the field. */
function chatEvents(
  head: Head,
  output: ModelOutput,
  calls: readonly Call[],
  withUsage: boolean,
): readonly SseEvent[] {
  const chunk = (choices: Chunk["choices"], usage: Chunk["usage"] = null): SseEvent => {
    const payload: Chunk = {
      ...head,
      object: "chat.completion.chunk",
      service_tier: "default",
      system_fingerprint: FINGERPRINT,
      choices,
      ...(withUsage && { usage }),
    };
    return { data: JSON.stringify(payload) };
  };
  const part = (delta: Delta, finish: Finish | null = null): SseEvent =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason: finish }]);
  const words = calls.length > 0 ? [] : streamPieces(output.text);
  return [
    part({ role: "assistant", content: calls.length > 0 ? null : "", refusal: null }),
    ...words.map((content) => part({ content })),
    ...calls.flatMap(callDeltas).map((call) => part({ tool_calls: [call] })),
    part({}, finishReason(output, calls)),
    ...(withUsage ? [chunk([], chatUsage(output.figures))] : []),
    { data: "[DONE]" },
  ];
}

/** The first delta of a call has its id and name; the others have only its index and more of its arguments. */
function callDeltas({ id, name, arguments: input }: Call, index: number): NonNullable<Delta["tool_calls"]> {
  const pieces = input.match(/.{1,8}/gs) ?? [];
  return [
    { index, id, type: "function", function: { name, arguments: "" } },
    ...pieces.map((piece) => ({ index, function: { arguments: piece } })),
  ];
}

function finishReason(output: ModelOutput, calls: readonly Call[]): Finish {
  if (calls.length > 0) return "tool_calls";
  return output.truncated ? "length" : "stop";
}

/** Chat completions reports no cache writes. Its prompt count includes the cached tokens. */
function chatUsage({ fresh, cached, output, reasoning }: Figures): OpenAI.CompletionUsage {
  return {
    prompt_tokens: fresh + cached,
    completion_tokens: output,
    total_tokens: fresh + cached + output,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
