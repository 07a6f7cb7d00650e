/**
 * What an answer says, read the slow and obvious way: the whole stream at once, lines by the HTML standard's words,
 * every event parsed. Shares no code with `src`, and is what "readable" means here: a figure that this finds must be
 * found.
 */
import type { ApiName } from "../fixtures.ts";

export type Told = { readonly usage: Usage | null; readonly ended: boolean };

type Usage = {
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_write_input_tokens: number | null;
  extras: Record<string, number>;
  flagged: boolean;
};

export type PlainEvent = { readonly data: string; readonly name: string };

/** HTML standard §9.2.6, and of a last event without its blank line as if it had one. */
export function plainEvents(text: string): PlainEvent[] {
  const events: PlainEvent[] = [];
  let data: string[] = [];
  let name = "";
  for (const line of [...text.split(/\r\n|\n|\r/), ""]) {
    if (line === "") {
      if (data.length > 0) events.push({ data: data.join("\n"), name });
      data = [];
      name = "";
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

type Plain = { readonly [key: string]: unknown };

function object(value: unknown): Plain | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Plain) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads bytes as the API's answer. */
export function plainlyTold(api: ApiName, kind: "events" | "json", bytes: Uint8Array): Told {
  const text = new TextDecoder().decode(bytes);
  if (kind === "json") {
    const value = parse(text);
    if (value === undefined) return { usage: null, ended: false };
    const isError = api === "messages" && object(value)?.["type"] === "error";
    const usage = object(object(value)?.["usage"]);
    return { usage: usage && !isError ? FIGURES[api](usage) : null, ended: true };
  }
  return EVENTS[api](plainEvents(text));
}

const EVENTS: Readonly<Record<ApiName, (events: readonly PlainEvent[]) => Told>> = {
  chat: (events) => {
    const usages = events.map(({ data }) => object(object(parse(data))?.["usage"]));
    const last = usages.findLast((usage) => usage !== null);
    return { usage: last ? FIGURES.chat(last) : null, ended: events.some(({ data }) => data === "[DONE]") };
  },
  responses: (events) => {
    let usage: Usage | null = null;
    let ended = false;
    for (const { data, name } of events) {
      const value = object(parse(data));
      // With no data it is an event that was too large to be read.
      const type = data === "" ? name : value?.["type"];
      const ends = /^(?:response\.(?:completed|incomplete|failed)|error)$/.test(String(type));
      if (typeof type !== "string" || (!ends && type !== "response.created")) continue;
      const reported = object(object(value?.["response"])?.["usage"]);
      if (reported) usage = FIGURES.responses(reported);
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
      if (reported) usage = replaced(usage, FIGURES.messages(reported));
    }
    return { usage, ended };
  },
};

/** Figures are cumulative: later ones stand in the place of earlier ones. */
function replaced(before: Usage | null, after: Usage): Usage {
  if (!before) return after;
  const known = Object.entries(after).filter(([, value]) => value !== null);
  return {
    ...before,
    ...Object.fromEntries(known),
    extras: { ...before.extras, ...after.extras },
    flagged: before.flagged || after.flagged,
  };
}

/** Takes the figure at a path; whatever is there and no count flags the whole. */
function taker(usage: Plain): {
  readonly at: (...path: string[]) => number | null;
  readonly flag: () => boolean;
} {
  let flagged = false;
  return {
    at: (...path) => {
      const last = path.pop() ?? "";
      const from = path.reduce<Plain | null>((inner, key) => object(inner?.[key]), usage);
      const value = from?.[last] ?? null;
      if (value === null) return null;
      if (typeof value === "number" && value >= 0 && value <= 2 ** 53 - 1 && value % 1 === 0) return value;
      flagged = true;
      return null;
    },
    flag: () => flagged,
  };
}

/** Each name with its figure, less those of which there is none. */
function extras(named: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(named).filter((entry): entry is [string, number] => entry[1] !== null),
  );
}

const FIGURES: Readonly<Record<ApiName, (usage: Plain) => Usage>> = {
  chat: (usage) => {
    const { at, flag } = taker(usage);
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
      flagged: flag() || (rest ?? 0) < 0,
    };
  },
  responses: (usage) => {
    const { at, flag } = taker(usage);
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
      flagged: flag() || (rest ?? 0) < 0,
    };
  },
  messages: (usage) => {
    const { at, flag } = taker(usage);
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
      flagged: flag(),
    };
  },
};
