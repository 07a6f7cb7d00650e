/**
 * The test oracle: reads a response in the slow, obvious way. It splits the whole stream into lines as the HTML standard
 * defines, and parses every event. It shares no code with `src`. The Worker must find every token count that this finds.
 */
import type { ApiName } from "../fixtures.ts";

export type OracleReport = { readonly usage: Usage | null; readonly ended: boolean };

type Usage = {
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_write_input_tokens: number | null;
  extras: Record<string, number>;
  invalid: boolean;
  raw: string | null;
};

export type OracleEvent = { readonly data: string; readonly name: string };

/**
 * HTML standard §9.2.6, except that a last event without a blank line counts as complete, and that in an event without data
 * the first line that is an object, bare or after `error:`, is its data.
 */
export function oracleEvents(text: string): OracleEvent[] {
  const events: OracleEvent[] = [];
  let data: string[] = [];
  let bare: string | null = null;
  let name = "";
  for (const line of [...text.split(/\r\n|\n|\r/), ""]) {
    if (line === "") {
      if (data.length > 0) events.push({ data: data.join("\n"), name });
      else if (bare !== null) events.push({ data: bare, name });
      data = [];
      bare = null;
      name = "";
      continue;
    }
    const object = ["", "error:", "error: "].find((before) => line.startsWith(`${before}{`));
    if (object !== undefined && bare === null) {
      bare = line.slice(object.length);
      if (object !== "") name = "error";
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    if (field === "event") name = value;
  }
  return events;
}

type JsonObject = { readonly [key: string]: unknown };

function object(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads the bytes as a response of the API. */
export function oracleReport(api: ApiName, kind: "events" | "json", bytes: Uint8Array): OracleReport {
  const text = new TextDecoder().decode(bytes);
  if (kind === "json") {
    const value = parse(text);
    if (value === undefined) return { usage: null, ended: false };
    const isError = api === "messages" && object(value)?.["type"] === "error";
    const usage = object(object(value)?.["usage"]);
    return { usage: usage && !isError ? COUNTS[api](usage) : null, ended: true };
  }
  return EVENTS[api](oracleEvents(text));
}

const EVENTS: Readonly<Record<ApiName, (events: readonly OracleEvent[]) => OracleReport>> = {
  chat: (events) => {
    const usages = events.map(({ data }) => object(object(parse(data))?.["usage"]));
    const last = usages.findLast((usage) => usage !== null);
    return { usage: last ? COUNTS.chat(last) : null, ended: events.some(({ data }) => data === "[DONE]") };
  },
  responses: (events) => {
    let usage: Usage | null = null;
    let ended = false;
    for (const { data, name } of events) {
      const value = object(parse(data));
      // The framer reports an event above its cap without its data.
      const type = data === "" ? name : value?.["type"];
      const ends = /^(?:response\.(?:completed|incomplete|failed)|error)$/.test(String(type));
      if (typeof type !== "string" || (!ends && type !== "response.created")) continue;
      const reported = object(object(value?.["response"])?.["usage"]);
      if (reported) usage = COUNTS.responses(reported);
      ended ||= ends;
    }
    return { usage, ended };
  },
  messages: (events) => {
    let usage: Usage | null = null;
    let ended = false;
    for (const { data } of events) {
      const value = object(parse(data));
      const type = value?.["type"];
      if (type === "message_stop") ended = true;
      const from =
        type === "message_start" ? object(value?.["message"]) : type === "message_delta" ? value : null;
      const reported = object(from?.["usage"]);
      if (reported) usage = merge(usage, COUNTS.messages(reported));
    }
    return { usage, ended };
  },
};

/** Token counts are cumulative, so later ones replace earlier ones. */
function merge(before: Usage | null, after: Usage): Usage {
  if (!before) return after;
  const known = Object.entries(after).filter(([, value]) => value !== null);
  return {
    ...before,
    ...Object.fromEntries(known),
    extras: { ...before.extras, ...after.extras },
    invalid: before.invalid || after.invalid,
    // Of one object only: the last, even where that is too long.
    raw: after.raw,
  };
}

/** Reads the count at a path. Any other value there, except null, makes the usage invalid. */
function countReader(usage: JsonObject): {
  readonly at: (...path: string[]) => number | null;
  readonly isInvalid: () => boolean;
} {
  let invalid = false;
  return {
    at: (...path) => {
      const last = path.pop() ?? "";
      const from = path.reduce<JsonObject | null>((inner, key) => object(inner?.[key]), usage);
      const value = from?.[last] ?? null;
      if (value === null) return null;
      if (typeof value === "number" && value >= 0 && value <= 2 ** 53 - 1 && value % 1 === 0) return value;
      invalid = true;
      return null;
    },
    isInvalid: () => invalid,
  };
}

/** The names that have a count. */
function extras(named: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(named).filter((entry): entry is [string, number] => entry[1] !== null),
  );
}

function rawOf(usage: JsonObject): string | null {
  const json = JSON.stringify(usage);
  return json.length > 2048 ? null : json;
}

const COUNTS: Readonly<Record<ApiName, (usage: JsonObject) => Usage>> = {
  chat: (usage) => {
    const { at, isInvalid } = countReader(usage);
    const prompt = at("prompt_tokens");
    const cached = at("prompt_tokens_details", "cached_tokens");
    const rest = prompt === null ? null : prompt - (cached ?? 0);
    return {
      input_tokens: rest === null ? null : Math.max(0, rest),
      output_tokens: at("completion_tokens"),
      cache_read_input_tokens: cached,
      cache_write_input_tokens: null,
      extras: extras({
        completion_reasoning: at("completion_tokens_details", "reasoning_tokens"),
        prompt_audio: at("prompt_tokens_details", "audio_tokens"),
        completion_audio: at("completion_tokens_details", "audio_tokens"),
        completion_accepted_prediction: at("completion_tokens_details", "accepted_prediction_tokens"),
        completion_rejected_prediction: at("completion_tokens_details", "rejected_prediction_tokens"),
      }),
      invalid: isInvalid() || (rest ?? 0) < 0,
      raw: rawOf(usage),
    };
  },
  responses: (usage) => {
    const { at, isInvalid } = countReader(usage);
    const input = at("input_tokens");
    const cached = at("input_tokens_details", "cached_tokens");
    const written = at("input_tokens_details", "cache_write_tokens");
    const rest = input === null ? null : input - (cached ?? 0) - (written ?? 0);
    return {
      input_tokens: rest === null ? null : Math.max(0, rest),
      output_tokens: at("output_tokens"),
      cache_read_input_tokens: cached,
      cache_write_input_tokens: written,
      extras: extras({
        output_reasoning: at("output_tokens_details", "reasoning_tokens"),
        total_tokens: at("total_tokens"),
      }),
      invalid: isInvalid() || (rest ?? 0) < 0,
      raw: rawOf(usage),
    };
  },
  messages: (usage) => {
    const { at, isInvalid } = countReader(usage);
    return {
      input_tokens: at("input_tokens"),
      output_tokens: at("output_tokens"),
      cache_read_input_tokens: at("cache_read_input_tokens"),
      cache_write_input_tokens: at("cache_creation_input_tokens"),
      extras: extras({
        web_search_requests: at("server_tool_use", "web_search_requests"),
        cache_ephemeral_5m_input: at("cache_creation", "ephemeral_5m_input_tokens"),
        cache_ephemeral_1h_input: at("cache_creation", "ephemeral_1h_input_tokens"),
      }),
      invalid: isInvalid(),
      raw: rawOf(usage),
    };
  },
};
