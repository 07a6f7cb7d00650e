/**
 * Usage objects of OpenAI's dialect, as OpenAI and compatible servers send them. Their names differ, and so does what a
 * figure includes: whether the prompt includes cached tokens, and whether the completion includes reasoning. The stated
 * total decides; without one, OpenAI's own rule holds (both are included).
 * https://platform.openai.com/docs/api-reference/chat/object, https://platform.openai.com/docs/api-reference/responses/object
 */
import { maxOf, sumOf, UsageFigures, type Figures, type Usage } from "../usage.ts";
import { rawUsage } from "../raw-usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** Figures of Perplexity and xAI that are charged beside the tokens. */
const TOP_EXTRAS = ["citation_tokens", "num_search_queries", "num_sources_used", "reasoning_tokens"];

type Name = "prompt" | "completion" | "cached" | "written" | "missed" | "reasoning" | "total";
export type OpenaiFigures = Figures<Name>;

/** The extras of an API: name, group of the figure, key. */
export type Extra = readonly [name: string, group: "prompt" | "completion", key: string];
export const CHAT_EXTRAS: readonly Extra[] = [
  ["completion_reasoning", "completion", "reasoning_tokens"],
  ["prompt_audio", "prompt", "audio_tokens"],
  ["completion_audio", "completion", "audio_tokens"],
  ["completion_accepted_prediction", "completion", "accepted_prediction_tokens"],
  ["completion_rejected_prediction", "completion", "rejected_prediction_tokens"],
  ["prompt_image", "prompt", "image_tokens"],
  ["completion_image", "completion", "image_tokens"],
];
export const RESPONSES_EXTRAS: readonly Extra[] = [["output_reasoning", "completion", "reasoning_tokens"]];

/** The objects with the details of the prompt and of the completion. */
function detailsOf(from: JsonObject): Readonly<Record<"prompt" | "completion", JsonObject | null>> {
  return {
    prompt:
      asObject(from["prompt_tokens_details"]) ??
      asObject(from["input_tokens_details"]) ??
      asObject(from["input_token_details"]) ??
      asObject(from["prompt_token_details"]) ??
      asObject(from["promptTokensDetails"]),
    completion: asObject(from["completion_tokens_details"]) ?? asObject(from["output_tokens_details"]),
  };
}

/** Reads one usage object of either API. */
export function readOpenaiFigures(from: JsonObject, extras: readonly Extra[]): OpenaiFigures {
  const figures = new UsageFigures();
  const first = (object: JsonObject | null, ...keys: readonly string[]): number | null => {
    for (const key of keys) {
      const value = figures.read(object, key);
      if (value !== null) return value;
    }
    return null;
  };
  const groups = detailsOf(from);
  const created = asObject(groups.prompt?.["cache_creation"]) ?? asObject(from["cache_creation"]);
  for (const [name, group, key] of extras) figures.extra(name, groups[group], key);
  for (const key of TOP_EXTRAS) figures.extra(key, from, key);
  readRouterExtras(figures.extras, from);
  readAudioSeconds(figures, from);
  const counts = {
    prompt: first(from, "prompt_tokens", "input_tokens", "promptTokens", "inputTokens"),
    completion: first(from, "completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
    cached: maxOf(
      first(groups.prompt, "cached_tokens", "cache_read_tokens", "cachedTokens"),
      first(
        from,
        "prompt_cache_hit_tokens",
        "cached_tokens",
        "cache_read_input_tokens",
        "num_cached_tokens",
        "cacheReadInputTokens",
        "cacheReadInputTokenCount",
        "cachedInputTokens",
      ),
    ),
    written: maxOf(
      first(groups.prompt, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
      first(
        from,
        "cache_creation_input_tokens",
        "cache_write_input_tokens",
        "cache_write_tokens",
        "cacheWriteInputTokens",
        "cacheWriteInputTokenCount",
      ),
      sumOf(
        figures.read(created, "ephemeral_5m_input_tokens"),
        figures.read(created, "ephemeral_1h_input_tokens"),
      ),
    ),
    missed: figures.read(from, "prompt_cache_miss_tokens"),
    reasoning: maxOf(
      figures.read(groups.completion, "reasoning_tokens"),
      figures.read(from, "reasoning_tokens"),
    ),
    total: first(from, "total_tokens", "totalTokens"),
  };
  return { counts, extras: figures.extras, invalid: figures.invalid, raw: rawUsage(from) };
}

/**
 * OpenRouter's: what the provider behind it charges, and whether that is on the client's own key there (1 or 0). `cost` is
 * then OpenRouter's fee alone. https://openrouter.ai/docs/use-cases/usage-accounting
 */
function readRouterExtras(extras: Record<string, number>, from: JsonObject): void {
  const cost = asObject(from["cost_details"])?.["upstream_inference_cost"];
  if (typeof cost === "number" && cost >= 0) extras["upstream_inference_cost"] = cost;
  const { is_byok: isByok } = from;
  if (typeof isByok === "boolean") extras["is_byok"] = Number(isByok);
}

/** More than eleven days: no file of audio is so long. */
const MAX_AUDIO_S = 1_000_000;

/**
 * Audio that is charged by its length, in whole seconds, rounded up: `seconds` of OpenAI's usage of the type `duration`, and
 * Mistral's `prompt_audio_seconds`. https://platform.openai.com/docs/api-reference/audio/json-object
 */
function readAudioSeconds(figures: UsageFigures, from: JsonObject): void {
  const seconds = from["type"] === "duration" ? from["seconds"] : from["prompt_audio_seconds"];
  if (seconds === undefined || seconds === null) return;
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_AUDIO_S)
    figures.extras["audio_seconds"] = Math.ceil(seconds);
  else figures.invalid = true;
}

/** The usage of a model that produces no tokens: all of them are input. */
export function toInputUsage(figures: OpenaiFigures): Usage {
  const { prompt, completion, total } = figures.counts;
  if (completion !== null && completion > 0) return toOpenaiUsage(figures, false);
  const input = prompt ?? total;
  const counts = { ...figures.counts, prompt: input, completion: input === null ? null : 0 };
  return toOpenaiUsage({ ...figures, counts }, false);
}

/** Normalizes the figures: input without cached tokens, output with reasoning. */
export function toOpenaiUsage(figures: OpenaiFigures, keepTotal: boolean): Usage {
  const { cached, written, total } = figures.counts;
  const parts = splitTotal(figures.counts);
  const extras: Record<string, number> = { ...figures.extras };
  if (total !== null && (keepTotal || !parts.addsUp)) extras["total_tokens"] = total;
  if (parts.contradicts) extras["cached_exceeds_prompt"] = 1;
  return {
    input_tokens: parts.input,
    output_tokens: parts.output,
    cache_read_input_tokens: cached,
    cache_write_input_tokens: written,
    extras,
    invalid: figures.invalid || parts.contradicts,
    addsUp: parts.addsUp,
    raw: figures.raw,
  };
}

type Parts = {
  readonly input: number | null;
  readonly output: number | null;
  readonly addsUp: boolean;
  /** More tokens are cached than the prompt has, and no total explains it. */
  readonly contradicts: boolean;
};

function splitTotal(counts: OpenaiFigures["counts"]): Parts {
  const { completion, missed, reasoning, total } = counts;
  const cached = counts.cached ?? 0;
  const written = counts.written ?? 0;
  const prompt = counts.prompt ?? (missed === null ? null : missed + cached + written);
  if (prompt === null) return { input: null, output: completion, addsUp: total === null, contradicts: false };
  const beside = explainTotal(prompt, counts);
  // Without an explanation: a prompt that is smaller than its cached part does not include it.
  const contradicts = beside === null && cached + written > prompt;
  const outside = beside?.cache ?? (contradicts ? cached + written : 0);
  const input = prompt + outside - cached - written;
  const isConsistent = missed === null || missed === input || missed === input + written;
  if (beside) {
    return {
      input,
      output: sumOf(completion ?? 0, beside.reasoning),
      addsUp: isConsistent,
      contradicts,
    };
  }
  if (total === null) {
    // Reasoning that exceeds the completion is not a part of it.
    const isOutside = completion !== null && reasoning !== null && reasoning > completion;
    const output = isOutside ? sumOf(completion, reasoning) : completion;
    return { input, output, addsUp: isConsistent && !isOutside, contradicts };
  }
  // Tokens that only the total counts are charged as output: thoughts, for all servers known to do this.
  const rest = total - prompt - outside;
  const output = contradicts ? completion : Math.max(completion ?? 0, rest);
  return { input, output, addsUp: false, contradicts };
}

/** Which cached tokens are not in the prompt and which reasoning is not in the completion, if that gives the total exactly. */
function explainTotal(
  prompt: number,
  { completion, reasoning, total, ...counts }: OpenaiFigures["counts"],
): { readonly cache: number; readonly reasoning: number } | null {
  if (total === null) return null;
  const cached = counts.cached ?? 0;
  const written = counts.written ?? 0;
  for (const cache of [0, cached + written, cached, written]) {
    if (prompt + cache < cached + written) continue;
    for (const extra of [0, reasoning ?? 0]) {
      if (total === prompt + cache + (completion ?? 0) + extra) return { cache, reasoning: extra };
    }
  }
  return null;
}
