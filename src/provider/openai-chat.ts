/** Usage of Chat Completions: https://platform.openai.com/docs/api-reference/chat (objects `chat.completion[.chunk]`). */
import {
  asObject,
  asName,
  asText,
  Figures,
  parseObject,
  type AnswerReport,
  type JsonObject,
  type Usage,
  type UsageReader,
} from "./usage.ts";

export function chatUsage(): UsageReader {
  let id: string | null = null;
  let model: string | null = null;
  let usage: Usage | null = null;
  let final = false;
  let ended = false;
  let error: string | null = null;
  let begun = false;

  const take = (value: JsonObject): void => {
    id ??= asName(value["id"]);
    model ??= asName(value["model"]);
    const failure = value["error"];
    if (failure !== undefined && failure !== null) error = errorType(failure);
    const reported = asObject(value["usage"]);
    // The last usage object is the final one; `usage: null` on other chunks is none.
    if (!reported) return;
    usage = readChatUsage(reported);
    // Some servers report as they go, beside content; the closing report stands alone.
    final = Array.isArray(value["choices"]) && value["choices"].length === 0;
  };

  return {
    event(data) {
      if (data === "[DONE]") {
        ended = true;
        return;
      }
      // Of a stream's hundreds of chunks only the first and those with usage or an error tell anything new.
      if (begun && !MAY_TELL.test(data)) return;
      const value = parseObject(data);
      if (!value) return;
      take(value);
      begun = id !== null;
    },
    body(value) {
      ended = true;
      const object = asObject(value);
      if (!object) return;
      take(object);
    },
    report: (): AnswerReport => ({
      id,
      model,
      usage,
      usageFinal: usage !== null && (final || ended),
      ended,
      error,
    }),
  };
}

const MAY_TELL = /"usage"\s*:\s*\{|"error"\s*:/;

/** An SSE event that holds nothing but the usage that was asked for on the client's behalf. */
export function isUsageOnly(data: string): boolean {
  if (!data.includes('"usage"')) return false;
  const value = parseObject(data);
  const choices = value?.["choices"];
  const empty = Array.isArray(choices) && choices.length === 0 && value?.["error"] == null;
  return empty && asObject(value?.["usage"]) !== null;
}

function readChatUsage(from: JsonObject): Usage {
  const figures = new Figures();
  const prompt = asObject(from["prompt_tokens_details"]);
  const completion = asObject(from["completion_tokens_details"]);
  const cached = figures.take(prompt, "cached_tokens");
  figures.extra("completion_reasoning", completion, "reasoning_tokens");
  figures.extra("prompt_audio", prompt, "audio_tokens");
  figures.extra("completion_audio", completion, "audio_tokens");
  figures.extra("completion_accepted_prediction", completion, "accepted_prediction_tokens");
  figures.extra("completion_rejected_prediction", completion, "rejected_prediction_tokens");
  return {
    input_tokens: figures.less(figures.take(from, "prompt_tokens"), cached),
    output_tokens: figures.take(from, "completion_tokens"),
    cache_read_input_tokens: cached,
    cache_write_input_tokens: null,
    extras: figures.extras,
    flagged: figures.flagged,
  };
}

/** The `type` (else `code`) of an OpenAI error object; a short name, never its message. */
export function errorType(failure: unknown): string {
  const object = asObject(failure);
  return asText(object?.["type"], 64) ?? asText(object?.["code"], 64) ?? "error";
}
