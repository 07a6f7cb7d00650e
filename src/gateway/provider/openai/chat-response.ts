/**
 * Reads a response of Chat Completions: https://platform.openai.com/docs/api-reference/chat (objects
 * `chat.completion[.chunk]`). Chunks that cannot change the report are recognized by a pattern and not parsed.
 */
import type { ResponseReader, ResponseReport, ContentOptions } from "../response-reader.ts";
import { collectContent } from "../response-content.ts";
import { NO_ERROR, readProviderError } from "../provider-error.ts";
import { CALL_BEGINS, CALL_PIECE, createToolCallReader } from "./chat-tool-calls.ts";
import { asName, rawUsage, UsageFigures, type Usage } from "../usage.ts";
import { asObject, parseObject, type JsonObject } from "../../../shared/json.ts";

/**
 * Of a stream's hundreds of chunks, only the first and those with `usage`, an `error`, a `finish_reason` or a tool call
 * change the report. The pattern has the last five letters of each key: alternatives of equal length let the regular
 * expression engine skip ahead, which takes less than half the time of matching whole keys.
 */
const RELEVANT = String.raw`usage"\s*:\s*\{|error"\s*:\s*[^\sn]|eason"\s*:\s*"[^"]|`;
const RELEVANT_CHUNK = new RegExp(RELEVANT + CALL_BEGINS);
const RELEVANT_CHUNK_WITH_INPUTS = new RegExp(RELEVANT + CALL_PIECE);

export function chatReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const toolCalls = createToolCallReader(content);
  const relevant = keep.toolInputs ? RELEVANT_CHUNK_WITH_INPUTS : RELEVANT_CHUNK;
  let id: string | null = null;
  let model: string | null = null;
  let usage: Usage | null = null;
  let final = false;
  let ended = false;
  let finishReason: string | null = null;
  let error = NO_ERROR;

  const read = (value: JsonObject): void => {
    id ??= asName(value["id"]);
    model ??= asName(value["model"]);
    const failure = value["error"];
    if (failure !== undefined && failure !== null) error = readProviderError(failure, keep);
    const choices: unknown = value["choices"];
    for (const entry of Array.isArray(choices) ? choices : []) {
      const choice = asObject(entry);
      if (!choice) continue;
      toolCalls.read(choice);
      if ((choice["index"] ?? 0) === 0) finishReason = asName(choice["finish_reason"], 128) ?? finishReason;
    }
    const reported = asObject(value["usage"]);
    // The last usage object is the final one. Other chunks may have `usage: null` or an empty object, which do not count.
    if (!reported || (usage !== null && Object.keys(reported).length === 0)) return;
    usage = readChatUsage(reported);
    // Some servers also report interim usage in chunks with content. The final usage is in a chunk without choices.
    final = Array.isArray(choices) && choices.length === 0;
  };

  return {
    event(data) {
      if (data === "[DONE]") {
        ended = true;
        return;
      }
      if (id !== null && model !== null && !relevant.test(data) && !toolCalls.mayEnd(data)) return;
      const value = parseObject(data);
      if (value) read(value);
    },
    body(value) {
      ended = true;
      const object = asObject(value);
      if (object) read(object);
    },
    report: (): ResponseReport => ({
      id,
      model,
      usage,
      usageFinal: usage !== null && (final || ended),
      ended,
      finishReason,
      queued: false,
      ...error,
      ...content.report(),
    }),
  };
}

/** Whether an SSE event contains only the usage that the gateway requested with the usage opt-in. */
export function isUsageOnly(data: string): boolean {
  if (!data.includes('"usage"')) return false;
  const value = parseObject(data);
  const choices = value?.["choices"];
  const empty = Array.isArray(choices) && choices.length === 0 && value?.["error"] == null;
  return empty && asObject(value?.["usage"]) !== null;
}

function readChatUsage(from: JsonObject): Usage {
  const figures = new UsageFigures();
  const prompt = asObject(from["prompt_tokens_details"]);
  const completion = asObject(from["completion_tokens_details"]);
  const cached = figures.read(prompt, "cached_tokens");
  figures.extra("completion_reasoning", completion, "reasoning_tokens");
  figures.extra("prompt_audio", prompt, "audio_tokens");
  figures.extra("completion_audio", completion, "audio_tokens");
  figures.extra("completion_accepted_prediction", completion, "accepted_prediction_tokens");
  figures.extra("completion_rejected_prediction", completion, "rejected_prediction_tokens");
  return {
    input_tokens: figures.subtract(figures.read(from, "prompt_tokens"), cached),
    output_tokens: figures.read(from, "completion_tokens"),
    cache_read_input_tokens: cached,
    cache_write_input_tokens: null,
    extras: figures.extras,
    invalid: figures.invalid,
    raw: rawUsage(from),
  };
}
