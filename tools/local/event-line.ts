/** One event as one line for a person. */
import { styleText } from "node:util";
import type { InitiatorOverride, InterceptorEvent } from "../../src/events/event.ts";
import type { CallerValues, EventOf } from "../../src/events/fields.ts";

type Style = Parameters<typeof styleText>[0];
type Line = { readonly label: string; readonly style: Style; readonly text: string };

const LABEL_WIDTH = 14;

/** `styleText` omits colors where NO_COLOR is set or stdout is not a terminal. */
export function eventLine(event: InterceptorEvent): string {
  const { label, style, text } = describe(event);
  const head = `${clock(event)}  ${tail(event.interception_id)}`;
  return `${styleText("dim", head)}  ${styleText(style, label.padEnd(LABEL_WIDTH))}  ${plain(text)}`;
}

function describe(event: InterceptorEvent): Line {
  switch (event.record_type) {
    case "interception_start": {
      const what = `${event.model ?? "?"}${event.streaming ? ", streamed" : ""}`;
      const where = `POST ${event.provider} ${event.route}`;
      return {
        label: "start",
        style: "cyan",
        text: `${event.client} calls ${what} · ${where} · ${account(event)}`,
      };
    }
    case "initiator_override":
      return { label: "override", style: ["bold", "magenta"], text: overrideText(event) };
    case "initiator_override_rejected":
      return {
        label: "rejected",
        style: ["bold", "yellow"],
        text: `owner header of ${event.client} by ${event.actor_id} was not accepted: ${event.reason}`,
      };
    case "prompt_usage":
      return { label: "prompt", style: "dim", text: shown(event.prompt) };
    case "tool_usage": {
      const input = event.input === null ? "" : ` with ${shown(event.input)}`;
      return { label: "tool", style: "dim", text: `${plain(event.tool)}${input}` };
    }
    case "model_thought":
      return { label: "thought", style: "dim", text: shown(event.content) };
    case "token_usage":
      return { label: "tokens", style: "blue", text: usageText(event) };
    case "interception_end":
      return {
        label: event.outcome,
        style: event.outcome === "completed" ? "green" : "red",
        text: endText(event),
      };
    case "refusal": {
      const detail = event.detail === null ? "" : `: ${event.detail}`;
      const where = [event.method, event.provider, event.route].filter((part) => part !== null).join(" ");
      return { label: "refusal", style: "red", text: `${event.status} ${event.reason} · ${where}${detail}` };
    }
    case "passthrough_start": {
      const what = `${event.method} ${event.provider} ${event.route}`;
      return { label: "start", style: "dim", text: `${event.client} · ${what} · ${account(event)}` };
    }
    case "passthrough": {
      const what = `${event.method} ${event.provider} ${event.route} → ${event.status} in ${event.duration_ms} ms`;
      return { label: "passthrough", style: "dim", text: `${event.client} · ${what} · ${account(event)}` };
    }
    default:
      return unknown(event);
  }
}

/** Both ids in full: an override is searched for by either. */
function overrideText({ actor_id, owner_id, owner_username, attribution }: InitiatorOverride): string {
  const name = owner_username === null ? "" : ` (${owner_username})`;
  // An unverified caller's word is no assertion.
  const verb = attribution === "claimed" ? "claims" : "asserts";
  return `${actor_id} ${verb} ${owner_id}${name}: the initiator is the owner`;
}

/** A record type that this file does not know yet. */
function unknown(event: { readonly record_type?: unknown }): Line {
  return { label: String(event.record_type), style: "dim", text: JSON.stringify(event) };
}

function account({
  actor_id,
  initiator_id,
  attribution,
}: Pick<CallerValues, "actor_id" | "initiator_id" | "attribution">): string {
  const by = actor_id === initiator_id ? "" : ` by ${shortId(actor_id)}`;
  return `for ${shortId(initiator_id)} (${attribution}${by})`;
}

function usageText(event: EventOf<"token_usage">): string {
  const figures: [string, number | null][] = [
    ["in", event.input_tokens],
    ["out", event.output_tokens],
    ["cache read", event.cache_read_input_tokens],
    ["cache write", event.cache_write_input_tokens],
  ];
  return `${figures.map(([name, figure]) => `${name} ${figure ?? "?"}`).join(", ")} (${event.usage})`;
}

function endText(event: EventOf<"interception_end">): string {
  const error = event.error === null ? "" : ` · ${event.error}`;
  const first = event.first_byte_ms === null ? "" : `, first byte after ${event.first_byte_ms} ms`;
  return `${event.status ?? "no status"} in ${event.duration_ms} ms${first}, ${event.response_bytes} bytes${error}`;
}

const LONGEST_ID = 24;

/** The beginning of a UUID or fingerprint: enough to distinguish them, and short enough for one line. */
export function shortId(id: string): string {
  return id.length > LONGEST_ID ? `${id.slice(0, 13)}…` : id;
}

/** Interception ids begin with the time: their ends differ. */
function tail(id: string): string {
  return `…${id.slice(-6)}`;
}

const LONGEST_CONTENT = 60;

/** The beginning of recorded content, in quotation marks. */
function shown(content: string): string {
  const line = plain(content);
  return line.length > LONGEST_CONTENT ? `“${line.slice(0, LONGEST_CONTENT)}…”` : `“${line}”`;
}

/** On one line, without characters that a terminal acts on. */
function plain(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
}

function clock(event: InterceptorEvent): string {
  const time = new Date(timeOf(event));
  return Number.isNaN(time.getTime()) ? "--:--:--" : time.toTimeString().slice(0, 8);
}

function timeOf(event: InterceptorEvent): string {
  switch (event.record_type) {
    case "interception_start":
    case "passthrough_start":
      return event.started_at;
    case "interception_end":
      return event.ended_at;
    default:
      return event.created_at;
  }
}
