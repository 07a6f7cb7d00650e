/** The fields of a Messages response other than its content: id, model, usage, stop reason and error. */
import type { ContentOptions, ResponseReport } from "../response-reader.ts";
import { NO_ERROR, readProviderError } from "../provider-error.ts";
import { asName, rawUsage, UsageFigures, type Usage } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

type Report = Omit<ResponseReport, "toolCalls" | "toolCallCount" | "thoughts" | "thoughtCount">;

/** Collects the fields over the course of a stream, which spreads them over several events. */
export class MessagesFields {
  ended = false;
  readonly #keep: ContentOptions;
  #id: string | null = null;
  #model: string | null = null;
  #usage: Usage | null = null;
  #stopped = false;
  #finishReason: string | null = null;
  #error = NO_ERROR;

  constructor(keep: ContentOptions) {
    this.#keep = keep;
  }

  /** Reads a message, complete or as it starts. */
  read(message: JsonObject): void {
    this.#id ??= asName(message["id"]);
    this.#model ??= asName(message["model"]);
    this.#readProgress(message["usage"], message["stop_reason"]);
  }

  /** Reads a `message_delta` event. */
  readDelta(event: JsonObject): void {
    const stopReason = asObject(event["delta"])?.["stop_reason"];
    this.#readProgress(event["usage"], stopReason);
    this.#stopped ||= stopReason !== null && stopReason !== undefined;
  }

  /** Reads an `error` event, or an error body, which has the same form. */
  readError(event: JsonObject): void {
    this.#error = readProviderError(event["error"], this.#keep);
  }

  report(): Report {
    return {
      id: this.#id,
      model: this.#model,
      usage: this.#usage,
      usageFinal: this.#usage !== null && (this.#stopped || this.ended),
      ended: this.ended,
      finishReason: this.#finishReason,
      queued: false,
      ...this.#error,
    };
  }

  /** Figures are cumulative: a later figure replaces the earlier one, and an absent figure keeps it. */
  #readProgress(usage: unknown, stopReason: unknown): void {
    this.#finishReason = asName(stopReason, 128) ?? this.#finishReason;
    const reported = asObject(usage);
    if (reported) this.#usage = merge(this.#usage, readMessagesUsage(reported));
  }
}

function readMessagesUsage(from: JsonObject): Usage {
  const figures = new UsageFigures();
  const written = asObject(from["cache_creation"]);
  figures.extra("web_search_requests", asObject(from["server_tool_use"]), "web_search_requests");
  figures.extra("cache_ephemeral_5m_input", written, "ephemeral_5m_input_tokens");
  figures.extra("cache_ephemeral_1h_input", written, "ephemeral_1h_input_tokens");
  return {
    input_tokens: figures.read(from, "input_tokens"),
    output_tokens: figures.read(from, "output_tokens"),
    cache_read_input_tokens: figures.read(from, "cache_read_input_tokens"),
    cache_write_input_tokens: figures.read(from, "cache_creation_input_tokens"),
    extras: figures.extras,
    invalid: figures.invalid,
    raw: rawUsage(from),
  };
}

function merge(earlier: Usage | null, later: Usage): Usage {
  if (!earlier) return later;
  return {
    input_tokens: later.input_tokens ?? earlier.input_tokens,
    output_tokens: later.output_tokens ?? earlier.output_tokens,
    cache_read_input_tokens: later.cache_read_input_tokens ?? earlier.cache_read_input_tokens,
    cache_write_input_tokens: later.cache_write_input_tokens ?? earlier.cache_write_input_tokens,
    extras: { ...earlier.extras, ...later.extras },
    invalid: earlier.invalid || later.invalid,
    raw: later.raw,
  };
}
