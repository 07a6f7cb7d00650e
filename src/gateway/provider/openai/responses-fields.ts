/** The fields of a Responses response other than its output: id, model, usage, finish reason and error. */
import type { ContentOptions, FieldReport } from "../response-reader.ts";
import { NO_BILLING, readBilling } from "../billing.ts";
import { findFailure, NO_ERROR, readProviderError, type FailureSource } from "../provider-error.ts";
import { asName, mergeFigures } from "../usage.ts";
import { readOpenaiFigures, RESPONSES_EXTRAS, toOpenaiUsage, type OpenaiFigures } from "./openai-usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** Collects the fields over the course of a stream, which repeats the response object in several events. */
export class ResponsesFields {
  ended = false;
  /** The provider accepted a background response and produces it later. */
  queued = false;
  readonly #keep: ContentOptions;
  #id: string | null = null;
  #model: string | null = null;
  #figures: OpenaiFigures | null = null;
  /** The figures are those of the whole response: some servers send zeros when it begins. */
  #isUsageLast = false;
  #finishReason: string | null = null;
  #error = NO_ERROR;
  #billing = NO_BILLING;

  constructor(keep: ContentOptions) {
    this.#keep = keep;
  }

  /** Reads a response object. `isLast`: as it is at its end. */
  read(response: JsonObject, isLast: boolean): void {
    this.#id ??= asName(response["id"]);
    this.#model ??= asName(response["model"]);
    this.#finishReason = readFinishReason(response) ?? this.#finishReason;
    this.failIfError(response, "body");
    if (response["status"] === "failed") this.#setFailed();
    const usage = asObject(response["usage"]);
    this.#billing = readBilling(this.#billing, response, usage);
    if (!usage || (this.#figures !== null && Object.keys(usage).length === 0)) return;
    this.#isUsageLast ||= isLast;
    this.#figures = mergeFigures(this.#figures, readOpenaiFigures(usage, RESPONSES_EXTRAS));
  }

  /** Reads an error if the value is one. */
  failIfError(value: unknown, of: FailureSource): void {
    const failure = findFailure(value, of);
    if (failure !== undefined) this.#error = readProviderError(failure, this.#keep);
  }

  /** Reads an `error` event; null if the event was too large to be parsed. */
  readErrorEvent(event: unknown): void {
    this.#error = readProviderError(findFailure(event) ?? event, this.#keep);
  }

  /** Ends the response with a terminal event of this type. The type alone gives the finish reason if no field did. */
  end(type: string): void {
    this.ended = true;
    if (type === "response.failed") this.#setFailed();
    if (type !== "error") this.#finishReason ??= type.slice("response.".length);
  }

  report(): FieldReport {
    const usage = this.#figures && toOpenaiUsage(this.#figures, true);
    return {
      id: this.#id,
      model: this.#model,
      usage,
      usageFinal: usage !== null && this.#isUsageLast,
      ended: this.ended,
      finishReason: this.#finishReason,
      queued: this.queued,
      ...this.#billing,
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
