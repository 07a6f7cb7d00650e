/** Usage of the Responses API: https://platform.openai.com/docs/api-reference/responses-streaming. */
import { errorType } from "./openai-chat.ts";
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

const TERMINAL = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);
/** Events that hold the whole response object, or end the stream. */
const TELLING = /"type"\s*:\s*"(?:response\.(?:created|completed|incomplete|failed)|error)"/;

export function responsesUsage(): UsageReader {
  let id: string | null = null;
  let model: string | null = null;
  let usage: Usage | null = null;
  let ended = false;
  let error: string | null = null;

  const take = (response: JsonObject): void => {
    id ??= asName(response["id"]);
    model ??= asName(response["model"]);
    const failure = asObject(response["error"]);
    if (failure) error = errorType(failure);
    else if (response["status"] === "failed") error ??= "failed";
    const reported = asObject(response["usage"]);
    if (reported) usage = readResponsesUsage(reported);
  };

  return {
    event(data, name) {
      if (data === "[DONE]") return;
      const terminal = TERMINAL.has(name);
      // Too large to be read: its name tells that it is the end.
      if (data === "" && terminal) {
        ended = true;
        if (name === "response.failed") error = "failed";
        if (name === "error") error = "error";
      }
      if (!terminal && !TELLING.test(data)) return;
      const value = parseObject(data);
      const type = asText(value?.["type"]);
      if (!value || type === null) return;
      const response = asObject(value["response"]);
      if (response) take(response);
      if (type === "error") error = asText(value["code"], 64) ?? errorType(value["error"] ?? value);
      if (type === "response.failed") error ??= "failed";
      if (TERMINAL.has(type)) ended = true;
    },
    body(value) {
      ended = true;
      const object = asObject(value);
      if (!object) return;
      take(object);
    },
    report: (): AnswerReport => ({ id, model, usage, usageFinal: usage !== null, ended, error }),
  };
}

function readResponsesUsage(from: JsonObject): Usage {
  const figures = new Figures();
  const input = asObject(from["input_tokens_details"]);
  const cached = figures.take(input, "cached_tokens");
  const written = figures.take(input, "cache_write_tokens");
  figures.extra("output_reasoning", asObject(from["output_tokens_details"]), "reasoning_tokens");
  figures.extra("total_tokens", from, "total_tokens");
  return {
    input_tokens: figures.less(figures.take(from, "input_tokens"), cached, written),
    output_tokens: figures.take(from, "output_tokens"),
    cache_read_input_tokens: cached,
    cache_write_input_tokens: written,
    extras: figures.extras,
    flagged: figures.flagged,
  };
}
