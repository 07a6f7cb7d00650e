/** The fields of a Chat Completions response other than its tool calls: id, model, usage, finish reason and error. */
import type { ContentOptions, FieldReport } from "../response-reader.ts";
import { NO_BILLING, readBilling } from "../billing.ts";
import {
  findFailure,
  isFailureReason,
  NO_ERROR,
  readProviderError,
  type FailureSource,
} from "../provider-error.ts";
import { asName, mergeFigures } from "../usage.ts";
import {
  CHAT_EXTRAS,
  readOpenaiFigures,
  toInputUsage,
  toOpenaiUsage,
  type Extra,
  type OpenaiFigures,
} from "./openai-usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** The figures that the usage objects of an API have. `inputOnly`: the model produces no tokens. */
type UsageShape = { readonly extras: readonly Extra[]; readonly inputOnly: boolean };
const CHAT_USAGE: UsageShape = { extras: CHAT_EXTRAS, inputOnly: false };

/** Collects the fields over the course of a stream, which spreads them over several chunks. */
export class ChatFields {
  /** The terminal event or the whole body was read. */
  done = false;
  readonly #keep: ContentOptions;
  readonly #shape: UsageShape;
  #id: string | null = null;
  #model: string | null = null;
  #figures: OpenaiFigures | null = null;
  /** Usage came with or after the finish reason, or in a chunk without choices: the last chunk. */
  #isUsageLast = false;
  /** More content came after the usage. */
  #isUsageStale = false;
  #finishReason: string | null = null;
  #error = NO_ERROR;
  #billing = NO_BILLING;

  constructor(keep: ContentOptions, shape = CHAT_USAGE) {
    this.#keep = keep;
    this.#shape = shape;
  }

  get isNamed(): boolean {
    return this.#id !== null && this.#model !== null;
  }

  /** Reads a chunk or a whole response. */
  read(value: JsonObject, of: FailureSource): void {
    const isFirst = !this.isNamed;
    this.#id ??= asName(value["id"]);
    this.#model ??= asName(value["model"]);
    this.failIfError(value, of);
    // Groq says there why it stopped a stream early.
    this.failIfError({ error: asObject(value["x_groq"])?.["error"] }, of);
    const choices = choicesOf(value);
    for (const choice of choices) this.#readChoice(choice);
    const usage = usageOf(value, choices);
    // Not of every chunk, because which other chunks are parsed depends on the content to keep.
    if (isFirst || usage) this.#billing = readBilling(this.#billing, value, usage);
    // Other chunks may have `usage: null` or an empty object, which do not count.
    if (!usage || (this.#figures !== null && Object.keys(usage).length === 0))
      return choices.length > 0 ? this.pass() : undefined;
    this.#isUsageStale = false;
    this.#figures = mergeFigures(this.#figures, readOpenaiFigures(usage, this.#shape.extras));
    this.#isUsageLast =
      this.#finishReason !== null || (Array.isArray(value["choices"]) && choices.length === 0);
  }

  /** Counts a chunk of content without usage. */
  pass(): void {
    if (this.#finishReason === null) this.#isUsageStale = true;
  }

  /** Reads an error if the value is one. */
  failIfError(value: unknown, of: FailureSource): void {
    const failure = findFailure(value, of);
    if (failure !== undefined) this.fail(failure);
  }

  /** Reads an error, unless one was read before. */
  fail(failure: unknown): void {
    if (this.#error.error === null) this.#error = readProviderError(failure, this.#keep);
  }

  report(): FieldReport {
    const { inputOnly } = this.#shape;
    const usage =
      this.#figures && (inputOnly ? toInputUsage(this.#figures) : toOpenaiUsage(this.#figures, false));
    return {
      id: this.#id,
      model: this.#model,
      usage,
      usageFinal: usage !== null && (this.#isUsageLast || (this.done && !this.#isUsageStale)),
      ended: this.done,
      finishReason: this.#finishReason,
      queued: false,
      ...this.#billing,
      ...this.#error,
    };
  }

  #readChoice(choice: JsonObject): void {
    const { error, index } = choice;
    const reason = asName(choice["finish_reason"], 128);
    if (asObject(error) || (typeof error === "string" && error !== "")) this.failIfError({ error }, "body");
    else if (reason !== null && isFailureReason(reason)) this.fail({ type: reason });
    if ((index ?? 0) === 0) this.#finishReason = reason ?? this.#finishReason;
  }
}

/** Groq and Moonshot put the usage of a stream elsewhere: into `x_groq`, and into the last choice. */
function usageOf(value: JsonObject, choices: readonly JsonObject[]): JsonObject | null {
  const places = [value, asObject(value["x_groq"]), ...choices];
  return places.map((place) => asObject(place?.["usage"])).find((usage) => usage !== null) ?? null;
}

/** The choices of a chunk or response that are objects. */
export function choicesOf(value: JsonObject): readonly JsonObject[] {
  const list: unknown = value["choices"];
  const choices: readonly unknown[] = Array.isArray(list) ? list : [];
  return choices.map(asObject).filter((choice) => choice !== null);
}
