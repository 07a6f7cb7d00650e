/**
 * The test oracle: reads a response in the slow, obvious way. It splits the whole stream into lines as the HTML standard
 * defines, and parses every event. It shares no code with `src`. The Worker must find every token count that this finds.
 */
import type { ApiName } from "../fixtures.ts";
import {
  chatUsage,
  messagesUsage,
  object,
  responsesUsage,
  type JsonObject,
  type OracleUsage,
} from "./usage-oracle.ts";

export type OracleReport = { readonly usage: OracleUsage | null; readonly ended: boolean };

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
    const before = ["", "error:", "error: "].find((start) => line.startsWith(`${start}{`));
    if (before !== undefined && bare === null) {
      bare = line.slice(before.length);
      if (before !== "") name = "error";
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The first characters tell what a body is, regardless of its label. */
function kindOf(text: string, declared: "events" | "json"): "events" | "json" {
  const start = text.trimStart();
  if (start.startsWith(":") || /^(?:data|event|id|retry)(?=[:\r\n])/.test(start)) return "events";
  return start.startsWith("{") || start.startsWith("[") ? "json" : declared;
}

/** Reads the bytes as a response of the API. `declared`: the kind that its label says. */
export function oracleReport(api: ApiName, declared: "events" | "json", bytes: Uint8Array): OracleReport {
  const text = new TextDecoder().decode(bytes);
  if (kindOf(text, declared) === "events") return EVENTS[api](oracleEvents(text));
  const value = parse(text);
  if (value !== undefined) return { usage: USAGE[api](usagesOf[api](object(value))), ended: true };
  // A stream of objects, one per line.
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  if (object(parse(lines[0] ?? "")) === null) return { usage: null, ended: false };
  return EVENTS[api](lines.map((data) => ({ data, name: "" })));
}

const USAGE: Readonly<Record<ApiName, (all: readonly JsonObject[]) => OracleUsage | null>> = {
  chat: chatUsage,
  responses: responsesUsage,
  messages: messagesUsage,
};

const filled = (values: readonly unknown[]): readonly JsonObject[] =>
  values.map(object).filter((value) => value !== null);

/** The usage objects of a body, a chunk or a message; at most one counts. */
const usagesOf: Readonly<Record<ApiName, (value: JsonObject | null) => readonly JsonObject[]>> = {
  chat: (value) => {
    const choices = Array.isArray(value?.["choices"]) ? (value["choices"] as readonly unknown[]) : [];
    const places = [value, object(value?.["x_groq"]), ...choices.map(object)];
    return filled(places.map((place) => place?.["usage"])).slice(0, 1);
  },
  responses: (value) => filled([value?.["usage"]]),
  messages: (value) => filled([value?.["usage"], object(value?.["delta"])?.["usage"]]).slice(0, 1),
};

const RESPONSES_END = /^(?:response\.(?:completed|done|incomplete|failed|cancelled)|error)$/;

const EVENTS: Readonly<Record<ApiName, (events: readonly OracleEvent[]) => OracleReport>> = {
  chat: (events) => ({
    usage: chatUsage(events.flatMap(({ data }) => usagesOf.chat(object(parse(data))))),
    ended: events.some(({ data }) => data.trimEnd() === "[DONE]"),
  }),
  responses: (events) => {
    const usages: JsonObject[] = [];
    let ended = false;
    for (const { data, name } of events) {
      const value = object(parse(data));
      // The framer reports an event above its cap without its data. Some servers send the type only as the event's name.
      const named = data === "" || name.startsWith("response.") ? name : undefined;
      const type = value?.["type"] ?? named;
      const ends = RESPONSES_END.test(String(type));
      if (typeof type !== "string" || (!ends && type !== "response.created")) continue;
      usages.push(...usagesOf.responses(object(value?.["response"])));
      ended ||= ends && (value !== null || data === "");
    }
    return { usage: responsesUsage(usages), ended };
  },
  messages: (events) => {
    const usages: JsonObject[] = [];
    let ended = false;
    for (const { data, name } of events) {
      const value = object(parse(data));
      if (value === null || name === "error") continue;
      const type = value["type"] ?? name;
      if (type === "message_start") usages.push(...usagesOf.messages(object(value["message"])));
      if (type === "message_delta" || type === "message_stop") usages.push(...usagesOf.messages(value));
      if (type === "message_stop") ended = true;
    }
    return { usage: messagesUsage(usages), ended };
  },
};
