/** The fields of a Responses response other than its output: id, model, usage, finish reason and error. */
import type { ContentOptions, ResponseReport } from "../response-reader.ts";
import { MAX_ERROR_TYPE, NO_ERROR, readProviderError, type ProviderError } from "../provider-error.ts";
import { asName, asText, rawUsage, UsageFigures, type Usage } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

type Report = Omit<ResponseReport, "toolCalls" | "toolCallCount" | "thoughts" | "thoughtCount">;

/** Collects the fields over the course of a stream, which repeats the response object in several events. */
export class ResponsesFields {
  ended = false;
  /** The provider accepted a background response and produces it later. */
  queued = false;
  readonly #keep: ContentOptions;
  #id: string | null = null;
  #model: string | null = null;
  #usage: Usage | null = null;
  #finishReason: string | null = null;
  #error = NO_ERROR;

  constructor(keep: ContentOptions) {
    this.#keep = keep;
  }

  /** Reads a response object. */
  read(response: JsonObject): void {
    this.#id ??= asName(response["id"]);
    this.#model ??= asName(response["model"]);
    this.#finishReason = readFinishReason(response) ?? this.#finishReason;
    const error = asObject(response["error"]);
    if (error) this.#error = readProviderError(error, this.#keep);
    else if (response["status"] === "failed") this.#setFailed();
    const reported = asObject(response["usage"]);
    if (reported) this.#usage = readResponsesUsage(reported);
  }

  /** Reads an `error` event; null if the event was too large to be parsed. */
  readErrorEvent(event: JsonObject | null): void {
    this.#error = event ? readErrorEvent(event, this.#keep) : { error: "error", errorMessage: null };
  }

  /** Ends the response with a terminal event of this type. The type alone gives the finish reason if no field did. */
  end(type: string): void {
    this.ended = true;
    if (type === "response.failed") this.#setFailed();
    if (type !== "error") this.#finishReason ??= type.slice("response.".length);
  }

  report(): Report {
    return {
      id: this.#id,
      model: this.#model,
      usage: this.#usage,
      usageFinal: this.#usage !== null,
      ended: this.ended,
      finishReason: this.#finishReason,
      queued: this.queued,
      ...this.#error,
    };
  }

  #setFailed(): void {
    if (this.#error.error === null) this.#error = { error: "failed", errorMessage: null };
  }
}

/** Why the response stopped; null while it has not. */
function readFinishReason(response: JsonObject): string | null {
  const { status } = response;
  if (status === "queued" || status === "in_progress") return null;
  const details = status === "incomplete" ? asObject(response["incomplete_details"]) : null;
  return asName(details?.["reason"], 128) ?? asName(status, 128);
}

/** An `error` event has the error's fields itself; some servers nest them in an object, as in their error bodies. */
function readErrorEvent(event: JsonObject, keep: ContentOptions): ProviderError {
  const error = readProviderError(asObject(event["error"]) ?? event, keep);
  return { ...error, error: asText(event["code"], MAX_ERROR_TYPE) ?? error.error };
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
    raw: rawUsage(from),
  };
}
