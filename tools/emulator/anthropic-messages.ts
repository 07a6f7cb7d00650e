/** `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
import type Anthropic from "@anthropic-ai/sdk";
import { composeOutput, type ModelOutput } from "./model-output.ts";
import { readConversation } from "./conversation.ts";
import { numberAt, objectAt, stringAt, type JsonObject } from "./json.ts";
import { json, namedEvent, type JsonReply, type Reply, type SseEvent } from "./reply.ts";
import { countTokens, freshId, streamPieces, type Figures } from "./tokens.ts";

type Block = Anthropic.TextBlock | Anthropic.ThinkingBlock | Anthropic.ToolUseBlock;
type StreamEvent = Anthropic.RawMessageStreamEvent;

export function createMessage(body: JsonObject, model: string): Reply {
  const thinking = stringAt(objectAt(body, "thinking"), "type");
  const output = composeOutput(body, {
    model,
    think: thinking === "enabled" || thinking === "adaptive",
    maxTokens: numberAt(body, "max_tokens"),
  });
  const blocks = contentBlocks(output);
  const message = messageOf(model, output, blocks);
  if (body["stream"] !== true) return json(message);
  return {
    kind: "stream",
    events: messageEvents(message, output, blocks),
    failure: namedEvent({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
  };
}

export function countMessageTokens(body: JsonObject): JsonReply {
  const { text } = readConversation(body);
  return json({ input_tokens: countTokens(text) } satisfies Anthropic.MessageTokensCount);
}

function contentBlocks(output: ModelOutput): readonly Block[] {
  const thought: Block = { type: "thinking", thinking: output.thought, signature: freshId("", 64) };
  return [
    ...(output.thought === "" ? [] : [thought]),
    { type: "text", text: output.text, citations: null },
    ...output.calls.map((call): Block => {
      const { name, input } = call;
      return { type: "tool_use", id: freshId("toolu_01", 22), name, input, caller: { type: "direct" } };
    }),
  ];
}

function messageOf(model: string, output: ModelOutput, blocks: readonly Block[]): Anthropic.Message {
  return {
    id: freshId("msg_01", 22),
    type: "message",
    role: "assistant",
    model,
    content: [...blocks],
    container: null,
    diagnostics: null,
    stop_reason: stopReason(output),
    stop_sequence: null,
    stop_details: null,
    usage: usageOf(output.figures, output.figures.output),
  };
}

function stopReason(output: ModelOutput): Anthropic.StopReason {
  if (output.calls.length > 0) return "tool_use";
  return output.truncated ? "max_tokens" : "end_turn";
}

function usageOf({ fresh, cached, written, reasoning }: Figures, output: number): Anthropic.Usage {
  return {
    input_tokens: fresh,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    output_tokens: output,
    output_tokens_details: reasoning > 0 ? { thinking_tokens: reasoning } : null,
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: null,
    speed: null,
  };
}

/**
 * `message_start` has the input figures and one output token. `message_delta` repeats the input and has the total
 * output: the figures are cumulative, so a reader must not add the two.
 */
function messageEvents(
  message: Anthropic.Message,
  output: ModelOutput,
  blocks: readonly Block[],
): readonly SseEvent[] {
  const { usage, stop_reason, stop_sequence, stop_details } = message;
  const start = {
    ...message,
    content: [],
    stop_reason: null,
    usage: usageOf({ ...output.figures, reasoning: 0 }, 1),
  };
  const end: StreamEvent = {
    type: "message_delta",
    delta: { stop_reason, stop_sequence, stop_details, container: null },
    usage: {
      input_tokens: usage.input_tokens,
      cache_creation_input_tokens: usage.cache_creation_input_tokens,
      cache_read_input_tokens: usage.cache_read_input_tokens,
      output_tokens: usage.output_tokens,
      output_tokens_details: usage.output_tokens_details,
      server_tool_use: null,
    },
  };
  const events: StreamEvent[] = [
    { type: "message_start", message: start },
    ...blocks.flatMap(blockEvents),
    end,
    { type: "message_stop" },
  ];
  return events.flatMap((event, i) => (i === 1 ? [PING, namedEvent(event)] : [namedEvent(event)]));
}

const PING: SseEvent = namedEvent({ type: "ping" });

function blockEvents(block: Block, index: number): readonly StreamEvent[] {
  return [
    { type: "content_block_start", index, content_block: emptied(block) },
    ...deltas(block).map((delta): StreamEvent => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

function emptied(block: Block): Block {
  if (block.type === "text") return { ...block, text: "" };
  if (block.type === "thinking") return { ...block, thinking: "", signature: "" };
  return { ...block, input: {} };
}

function deltas(block: Block): readonly Anthropic.RawContentBlockDelta[] {
  if (block.type === "text") return streamPieces(block.text).map((text) => ({ type: "text_delta", text }));
  if (block.type === "thinking") {
    const thoughts = streamPieces(block.thinking).map((thinking) => ({
      type: "thinking_delta" as const,
      thinking,
    }));
    return [...thoughts, { type: "signature_delta", signature: block.signature }];
  }
  const pieces = JSON.stringify(block.input).match(/.{1,8}/gs) ?? [];
  return ["", ...pieces].map((partial_json) => ({ type: "input_json_delta", partial_json }));
}
