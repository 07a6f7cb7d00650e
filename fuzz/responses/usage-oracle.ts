/**
 * The token counts of usage objects, by the rules in the documentation and as real providers send them. Shares no code with
 * `src`.
 */
export type OracleUsage = {
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_write_input_tokens: number | null;
  extras: Record<string, number>;
  invalid: boolean;
  addsUp: boolean;
  raw: string | null;
};

export type JsonObject = { readonly [key: string]: unknown };

export function object(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

type Path = readonly string[];
/** Each figure: the places that may have it. Of places in one list the first counts, of several lists the largest. */
type Places = Readonly<Record<string, readonly (readonly Path[])[]>>;
type FoundCounts = { counts: Record<string, number | null>; invalid: boolean };

const at = (key: string): Path => [key];
const below = (group: string, ...keys: readonly string[]): readonly Path[] => keys.map((key) => [group, key]);

/** The sum of places that are added; a place that is absent adds nothing. */
const SUM = "+";

const OPENAI: Places = {
  prompt: [["prompt_tokens", "input_tokens", "promptTokens", "inputTokens"].map(at)],
  completion: [["completion_tokens", "output_tokens", "completionTokens", "outputTokens"].map(at)],
  cached: [
    below("prompt group", "cached_tokens", "cache_read_tokens", "cachedTokens"),
    [
      "prompt_cache_hit_tokens",
      "cached_tokens",
      "cache_read_input_tokens",
      "num_cached_tokens",
      "cacheReadInputTokens",
      "cacheReadInputTokenCount",
      "cachedInputTokens",
    ].map(at),
  ],
  written: [
    below("prompt group", "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
    [
      "cache_creation_input_tokens",
      "cache_write_input_tokens",
      "cache_write_tokens",
      "cacheWriteInputTokens",
      "cacheWriteInputTokenCount",
    ].map(at),
    [[SUM], ["created group", "ephemeral_5m_input_tokens"], ["created group", "ephemeral_1h_input_tokens"]],
  ],
  missed: [[at("prompt_cache_miss_tokens")]],
  reasoning: [below("completion group", "reasoning_tokens"), [at("reasoning_tokens")]],
  total: [["total_tokens", "totalTokens"].map(at)],
};
const SHARED_EXTRAS: Readonly<Record<string, Path>> = {
  citation_tokens: at("citation_tokens"),
  num_search_queries: at("num_search_queries"),
  num_sources_used: at("num_sources_used"),
  reasoning_tokens: at("reasoning_tokens"),
};
const CHAT_EXTRAS: Readonly<Record<string, Path>> = {
  ...SHARED_EXTRAS,
  completion_reasoning: ["completion group", "reasoning_tokens"],
  prompt_audio: ["prompt group", "audio_tokens"],
  completion_audio: ["completion group", "audio_tokens"],
  completion_accepted_prediction: ["completion group", "accepted_prediction_tokens"],
  completion_rejected_prediction: ["completion group", "rejected_prediction_tokens"],
  prompt_image: ["prompt group", "image_tokens"],
  completion_image: ["completion group", "image_tokens"],
};
const RESPONSES_EXTRAS: Readonly<Record<string, Path>> = {
  ...SHARED_EXTRAS,
  output_reasoning: ["completion group", "reasoning_tokens"],
};
const MESSAGES: Places = {
  input: [[at("input_tokens")]],
  output: [[at("output_tokens")]],
  read: [[at("cache_read_input_tokens")]],
  written: [[at("cache_creation_input_tokens")]],
  created: [
    [[SUM], ["cache_creation", "ephemeral_5m_input_tokens"], ["cache_creation", "ephemeral_1h_input_tokens"]],
  ],
};
const MESSAGES_EXTRAS: Readonly<Record<string, Path>> = {
  web_search_requests: ["server_tool_use", "web_search_requests"],
  cache_ephemeral_5m_input: ["cache_creation", "ephemeral_5m_input_tokens"],
  cache_ephemeral_1h_input: ["cache_creation", "ephemeral_1h_input_tokens"],
};

/** The usage object with its groups under one name each. */
function withGroups(usage: JsonObject): JsonObject {
  const prompt = [
    "prompt_tokens_details",
    "input_tokens_details",
    "input_token_details",
    "prompt_token_details",
    "promptTokensDetails",
  ];
  const completion = ["completion_tokens_details", "output_tokens_details"];
  const group = (names: readonly string[]): JsonObject | null =>
    names.map((name) => object(usage[name])).find((value) => value !== null) ?? null;
  return {
    ...usage,
    "prompt group": group(prompt),
    "completion group": group(completion),
    "created group": object(group(prompt)?.["cache_creation"]) ?? object(usage["cache_creation"]),
  };
}

/** More tokens than any call has. */
const MAX_COUNT = 10 ** 12;

/** The count at the path: null if it is absent or null, `invalid` for any other value that is no count. */
function countAt(usage: JsonObject, path: Path): number | null | "invalid" {
  const from = path.slice(0, -1).reduce<JsonObject | null>((inner, key) => object(inner?.[key]), usage);
  const sent = from?.[path.at(-1) ?? ""] ?? null;
  if (sent === null) return null;
  // Some servers write a count as a text of digits.
  const value = typeof sent === "string" && /^\d{1,16}$/.test(sent) ? Number.parseInt(sent, 10) : sent;
  return typeof value === "number" && value >= 0 && value <= MAX_COUNT && value % 1 === 0 ? value : "invalid";
}

const numbers = (values: readonly (number | null | "invalid")[]): readonly number[] =>
  values.filter((value) => typeof value === "number");

function find(usage: JsonObject, places: Places): FoundCounts {
  let invalid = false;
  const largest = (lists: readonly (readonly Path[])[]): number | null => {
    const found: number[] = [];
    for (const list of lists) {
      const isSum = list[0]?.[0] === SUM;
      const counts: (number | null | "invalid")[] = [];
      for (const path of isSum ? list.slice(1) : list) {
        const count = countAt(usage, path);
        counts.push(count);
        if (count === "invalid") invalid = true;
        // The places after the first count are not read.
        else if (count !== null && !isSum) break;
      }
      const known = numbers(counts);
      if (known.length === 0) continue;
      found.push(
        isSum
          ? Math.min(
              2 ** 53 - 1,
              known.reduce((sum, count) => sum + count),
            )
          : (known[0] ?? 0),
      );
    }
    return found.length === 0 ? null : Math.max(...found);
  };
  const counts = Object.fromEntries(Object.entries(places).map(([name, lists]) => [name, largest(lists)]));
  return { counts, invalid };
}

/** Figures are cumulative: of several objects the largest counts. A smaller one that is not 0 contradicts it. */
function overAll(all: readonly FoundCounts[]): FoundCounts {
  const counts: Record<string, number | null> = {};
  let invalid = all.some((found) => found.invalid);
  for (const found of all) {
    for (const [name, count] of Object.entries(found.counts)) {
      const before = counts[name] ?? null;
      if (before !== null && count !== null && count < before && count !== 0) invalid = true;
      counts[name] = before === null ? count : Math.max(before, count ?? 0);
    }
  }
  return { counts, invalid };
}

function extrasOf(
  all: readonly JsonObject[],
  paths: Readonly<Record<string, Path>>,
): {
  readonly extras: Record<string, number>;
  readonly invalid: boolean;
} {
  const extras: Record<string, number> = {};
  let invalid = false;
  for (const [name, path] of Object.entries(paths)) {
    const counts = all.map((usage) => countAt(usage, path));
    invalid ||= counts.includes("invalid");
    const known = numbers(counts);
    if (known.length > 0) extras[name] = Math.max(...known);
  }
  return { extras, invalid };
}

/** Figures that are not counts of tokens: OpenRouter's costs, and audio by its length. */
function otherExtras(all: readonly JsonObject[]): {
  readonly extras: Record<string, number>;
  readonly invalid: boolean;
} {
  const extras: Record<string, number> = {};
  let invalid = false;
  const add = (name: string, value: number): void => {
    extras[name] = Math.max(extras[name] ?? 0, value);
  };
  for (const usage of all) {
    const cost = object(usage["cost_details"])?.["upstream_inference_cost"];
    if (typeof cost === "number" && cost >= 0) add("upstream_inference_cost", cost);
    if (typeof usage["is_byok"] === "boolean") add("is_byok", usage["is_byok"] ? 1 : 0);
    const seconds = usage[usage["type"] === "duration" ? "seconds" : "prompt_audio_seconds"] ?? null;
    if (typeof seconds === "number" && seconds >= 0 && seconds <= 1e6)
      add("audio_seconds", Math.ceil(seconds));
    else if (seconds !== null) invalid = true;
  }
  return { extras, invalid };
}

function rawOf(usage: JsonObject): string | null {
  const json = JSON.stringify(usage);
  return json.length > 2048 ? null : json;
}

/** An empty object after another one is no usage. */
const counted = (all: readonly JsonObject[]): readonly JsonObject[] =>
  all.filter((usage, index) => index === 0 || Object.keys(usage).length > 0);

function openaiUsage(
  all: readonly JsonObject[],
  paths: Readonly<Record<string, Path>>,
  keepsTotal: boolean,
): OracleUsage | null {
  const usages = counted(all);
  const last = usages.at(-1);
  if (!last) return null;
  const grouped = usages.map(withGroups);
  const { counts, invalid } = overAll(grouped.map((usage) => find(usage, OPENAI)));
  const named = extrasOf(grouped, paths);
  const count = (name: string): number | null => counts[name] ?? null;
  const split = splitOf(count);
  const total = count("total");
  const others = otherExtras(usages);
  const extras = { ...named.extras, ...others.extras };
  if (total !== null && (keepsTotal || !split.addsUp)) extras["total_tokens"] = total;
  if (split.exceeds) extras["cached_exceeds_prompt"] = 1;
  return {
    input_tokens: split.input,
    output_tokens: split.output,
    cache_read_input_tokens: count("cached"),
    cache_write_input_tokens: count("written"),
    extras,
    invalid: invalid || named.invalid || others.invalid || split.exceeds,
    addsUp: split.addsUp,
    raw: rawOf(last),
  };
}

type Split = { input: number | null; output: number | null; addsUp: boolean; exceeds: boolean };

/** The prompt and the completion include the tokens that make the stated total right. */
function splitOf(count: (name: string) => number | null): Split {
  const [cached, written, reasoning] = [count("cached") ?? 0, count("written") ?? 0, count("reasoning")];
  const [total, missed, completion] = [count("total"), count("missed"), count("completion")];
  const prompt = count("prompt") ?? (missed === null ? null : missed + cached + written);
  if (prompt === null) return { input: null, output: completion, addsUp: total === null, exceeds: false };
  const agrees = (input: number): boolean =>
    missed === null || missed === input || missed === input + written;
  const readings = [0, cached + written, cached, written].flatMap((outside) =>
    [0, reasoning ?? 0].map((beside) => ({ outside, beside })),
  );
  const right = readings.find(
    ({ outside, beside }) =>
      prompt + outside >= cached + written && total === prompt + outside + (completion ?? 0) + beside,
  );
  if (right) {
    const input = prompt + right.outside - cached - written;
    const output = Math.min(2 ** 53 - 1, (completion ?? 0) + right.beside);
    return { input, output, addsUp: agrees(input), exceeds: false };
  }
  const exceeds = cached + written > prompt;
  const outside = exceeds ? cached + written : 0;
  const input = prompt + outside - cached - written;
  if (total !== null) {
    const output = exceeds ? completion : Math.max(completion ?? 0, total - prompt);
    return { input, output, addsUp: false, exceeds };
  }
  const isBeside = completion !== null && reasoning !== null && reasoning > completion;
  const output = isBeside ? Math.min(2 ** 53 - 1, completion + reasoning) : completion;
  return { input, output, addsUp: agrees(input) && !isBeside, exceeds };
}

export const chatUsage = (all: readonly JsonObject[]): OracleUsage | null =>
  openaiUsage(all, CHAT_EXTRAS, false);
export const responsesUsage = (all: readonly JsonObject[]): OracleUsage | null =>
  openaiUsage(all, RESPONSES_EXTRAS, true);

/** The fixtures have no `iterations`: their tests are in test/gateway. */
export function messagesUsage(all: readonly JsonObject[]): OracleUsage | null {
  const last = all.at(-1);
  if (!last) return null;
  const found = all.map((usage) => {
    const one = find(usage, MESSAGES);
    const { created = null, written = null, ...counts } = one.counts;
    return { counts: { ...counts, written: written ?? created }, invalid: one.invalid };
  });
  const { counts, invalid } = overAll(found);
  const named = extrasOf(all, MESSAGES_EXTRAS);
  return {
    input_tokens: counts["input"] ?? null,
    output_tokens: counts["output"] ?? null,
    cache_read_input_tokens: counts["read"] ?? null,
    cache_write_input_tokens: counts["written"] ?? null,
    extras: named.extras,
    invalid: invalid || named.invalid,
    addsUp: true,
    raw: rawOf(last),
  };
}
