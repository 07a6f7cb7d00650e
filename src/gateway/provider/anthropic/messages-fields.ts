/** The fields of a Messages response other than its content: id, model, usage, stop reason and error. */
import type { ContentOptions, FieldReport } from "../response-reader.ts";
import { NO_BILLING, readBilling } from "../billing.ts";
import { findFailure, isFailureReason, NO_ERROR, readProviderError } from "../provider-error.ts";
import { asName, mergeFigures } from "../usage.ts";
import {
  servingModel,
  readMessagesFigures,
  toMessagesUsage,
  type MessagesFigures,
} from "./messages-usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** Collects the fields over the course of a stream, which spreads them over several events. */
export class MessagesFields {
  ended = false;
  readonly #keep: ContentOptions;
  #id: string | null = null;
  #model: string | null = null;
  /** The model that responded in place of the one that declined. */
  #fallbackModel: string | null = null;
  #figures: MessagesFigures | null = null;
  /** The output is that of the whole response: `message_start` has only the first figures. */
  #isOutputLast = false;
  #stopped = false;
  #finishReason: string | null = null;
  #error = NO_ERROR;
  #billing = NO_BILLING;

  constructor(keep: ContentOptions) {
    this.#keep = keep;
  }

  /** Reads a message, complete or as it starts. */
  read(message: JsonObject): void {
    this.#id ??= asName(message["id"]);
    this.#model ??= asName(message["model"]);
    this.#readProgress(message, message["stop_reason"], this.ended);
  }

  /** Reads a content block. A `fallback` block names the model that goes on in place of the one before. */
  readBlock(value: unknown): void {
    const block = asObject(value);
    if (block?.["type"] !== "fallback") return;
    const { to } = block;
    this.#fallbackModel = asName(asObject(to)?.["model"] ?? to ?? block["model"]) ?? this.#fallbackModel;
  }

  /** Reads a `message_delta` event, or a `message_stop`, in which some servers repeat the figures. */
  readDelta(event: JsonObject): void {
    const stopReason = asObject(event["delta"])?.["stop_reason"];
    this.#readProgress(event, stopReason, true);
    this.#stopped ||= stopReason !== null && stopReason !== undefined;
  }

  /** Reads an error if the value is one: an event, or a whole body. */
  failIfError(value: unknown): void {
    const failure = findFailure(value, this.ended ? "body" : "event");
    if (failure !== undefined) this.fail(failure);
  }

  /** Reads an error, unless one was read before. */
  fail(failure: unknown): void {
    if (this.#error.error === null) this.#error = readProviderError(failure, this.#keep);
  }

  report(): FieldReport {
    const usage = this.#figures && toMessagesUsage(this.#figures);
    return {
      id: this.#id,
      model: this.#fallbackModel ?? this.#model,
      usage,
      usageFinal: usage !== null && this.#isOutputLast && (this.#stopped || this.ended),
      ended: this.ended,
      finishReason: this.#finishReason,
      queued: false,
      ...this.#billing,
      ...this.#error,
    };
  }

  #readProgress(from: JsonObject, stopReason: unknown, isLast: boolean): void {
    this.#finishReason = asName(stopReason, 128) ?? this.#finishReason;
    if (this.#finishReason !== null && isFailureReason(this.#finishReason))
      this.fail({ type: this.#finishReason });
    const usage = asObject(from["usage"]) ?? asObject(asObject(from["delta"])?.["usage"]);
    this.#billing = readBilling(this.#billing, from, usage);
    if (!usage) return;
    const figures = readMessagesFigures(usage);
    this.#isOutputLast ||= isLast && figures.counts.output !== null;
    this.#figures = mergeFigures(this.#figures, figures);
    this.#fallbackModel = servingModel(usage) ?? this.#fallbackModel;
  }
}
