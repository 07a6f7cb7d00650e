/**
 * Answers of the Responses API: https://platform.openai.com/docs/api-reference/responses-streaming. Receives events or
 * the whole response, hands on the report; looks only into events that can tell anything.
 */
import type { ResponseReader, ResponseReport, ContentOptions } from "../response-reader.ts";
import { collectContent } from "../response-content.ts";
import { MAX_ERROR_TYPE, NO_ERROR, readProviderError, type ProviderError } from "../provider-error.ts";
import { responseItems } from "./responses-items.ts";
import { asName, asText, UsageFigures, type Usage } from "../usage.ts";
import { asObject, parseObject, type JsonObject } from "../../../shared/json.ts";

const TERMINAL = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);
/** Events that hold the whole response or an item of its output, begin a thought, or end the stream. */
const RELEVANT =
  /"type"\s*:\s*"(?:response\.(?:created|completed|incomplete|failed|output_item\.(?:added|done)|reasoning_summary_part\.added)|error)"/;

export function responsesReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const items = responseItems(content, keep);
  let id: string | null = null;
  let model: string | null = null;
  let usage: Usage | null = null;
  let ended = false;
  let finishReason: string | null = null;
  let failure = NO_ERROR;

  const take = (response: JsonObject): void => {
    id ??= asName(response["id"]);
    model ??= asName(response["model"]);
    finishReason = readFinish(response) ?? finishReason;
    const error = asObject(response["error"]);
    if (error) failure = readProviderError(error, keep);
    else if (response["status"] === "failed") fail();
    const reported = asObject(response["usage"]);
    if (reported) usage = readResponsesUsage(reported);
  };
  const fail = (): void => {
    if (failure.error === null) failure = { error: "failed", errorMessage: null };
  };
  /** What the terminal event's type alone tells. */
  const end = (type: string): void => {
    ended = true;
    if (type === "response.failed") fail();
    if (type !== "error") finishReason ??= type.slice("response.".length);
  };
  const tell = (type: string, event: JsonObject): void => {
    if (type.endsWith(".delta")) return items.piece(event);
    if (type === "response.output_item.added") return items.item(event, false);
    if (type === "response.output_item.done") return items.item(event, true);
    if (type === "response.reasoning_summary_part.added") return items.part(event);
    const terminal = TERMINAL.has(type);
    if (!terminal && type !== "response.created") return;
    const response = asObject(event["response"]);
    if (response) take(response);
    if (!terminal) return;
    if (type === "error") failure = readErrorEvent(event, keep);
    items.output(response?.["output"]);
    end(type);
  };

  return {
    event(data, name) {
      if (data === "[DONE]") return;
      const terminal = TERMINAL.has(name);
      if (data === "" && terminal) {
        // Too large to be read.
        if (name === "error") failure = { error: "error", errorMessage: null };
        return end(name);
      }
      if (!terminal && !RELEVANT.test(data) && !items.mayBePiece(data)) return;
      const value = parseObject(data);
      const type = asText(value?.["type"]);
      if (value && type !== null) tell(type, value);
    },
    body(value) {
      ended = true;
      const object = asObject(value);
      if (!object) return;
      take(object);
      items.output(object["output"]);
    },
    report: (): ResponseReport => ({
      id,
      model,
      usage,
      usageFinal: usage !== null,
      ended,
      finishReason,
      ...failure,
      ...content.report(),
    }),
  };
}

/** Why it stopped; null of a response that has not. */
function readFinish(response: JsonObject): string | null {
  const { status } = response;
  if (status === "queued" || status === "in_progress") return null;
  const details = status === "incomplete" ? asObject(response["incomplete_details"]) : null;
  return asName(details?.["reason"], 128) ?? asName(status, 128);
}

/** An `error` event says it of itself; some servers put it into an object, as in their error bodies. */
function readErrorEvent(event: JsonObject, keep: ContentOptions): ProviderError {
  const failure = readProviderError(asObject(event["error"]) ?? event, keep);
  return { ...failure, error: asText(event["code"], MAX_ERROR_TYPE) ?? failure.error };
}

function readResponsesUsage(from: JsonObject): Usage {
  const figures = new UsageFigures();
  const input = asObject(from["input_tokens_details"]);
  const cached = figures.read(input, "cached_tokens");
  const written = figures.read(input, "cache_write_tokens");
  figures.extra("output_reasoning", asObject(from["output_tokens_details"]), "reasoning_tokens");
  figures.extra("total_tokens", from, "total_tokens");
  return {
    input_tokens: figures.subtract(figures.read(from, "input_tokens"), cached, written),
    output_tokens: figures.read(from, "output_tokens"),
    cache_read_input_tokens: cached,
    cache_write_input_tokens: written,
    extras: figures.extras,
    invalid: figures.invalid,
  };
}
