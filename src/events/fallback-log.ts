/**
 * The last resort of the ledger: an event that neither queue nor database took becomes a log line that holds it whole.
 * `npm run replay` reads such lines back into the ledger.
 */
import { parseJson, parseObject } from "../shared/json.ts";
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";
import { MISPLACED_MAC, type PresentedMac, type Sign } from "./event-mac.ts";
import type { RecordType } from "./fields.ts";

export const FALLBACK_MESSAGE = "interception ledger fallback";

/**
 * Logpush keeps 16,384 characters of one request, so the most important line comes first: the end (which also holds the
 * caller and the call), the start, the usage; content comes last.
 */
const ORDER: Readonly<Record<RecordType, number>> = {
  interception_end: 0,
  interception_start: 1,
  initiator_override: 2,
  initiator_override_rejected: 2,
  token_usage: 2,
  refusal: 2,
  passthrough: 0,
  retrieved_usage: 2,
  batch_file: 2,
  passthrough_start: 1,
  refusal_count: 2,
  ledger_access: 2,
  budget_charge: 1,
  budget_threshold: 2,
  budget_exceeded: 2,
  budget_overrun: 2,
  budget_change: 2,
  rate_limited: 2,
  cost_correction: 2,
  upstream_attempt: 2,
  prompt_usage: 3,
  tool_usage: 3,
  model_thought: 3,
};

/** In two steps, because a MAC is computed asynchronously: what is printed when has to be decided at once. */
export type FallbackLog = {
  /** One line for each event, the most important first. Never rejects. */
  readonly toLines: (events: readonly InterceptorEvent[]) => Promise<readonly string[]>;
  /** Prints lines of at most `maxCharacters` in total; returns those that did not fit. */
  readonly print: (lines: readonly string[], maxCharacters?: number) => readonly string[];
};

/** `sign`: null where the lines get no MAC. */
export function createFallbackLog(print: (line: string) => void, sign: Sign | null = null): FallbackLog {
  return {
    toLines: (events) => {
      const sorted = events.toSorted((a, b) => ORDER[a.record_type] - ORDER[b.record_type]);
      return Promise.all(sorted.map((event) => toLine(event, sign)));
    },
    print: (lines, maxCharacters = Number.POSITIVE_INFINITY) => {
      let left = maxCharacters;
      return lines.filter((line) => {
        left -= line.length;
        // Once one line has to wait, all later ones do: they stay in order.
        if (left < 0) return true;
        print(line);
        return false;
      });
    },
  };
}

/** Without a MAC where it cannot be computed: the event must not be lost. */
const toLine = (event: InterceptorEvent, sign: Sign | null): Promise<string> =>
  sign === null
    ? Promise.resolve(toFallbackLine(event))
    : toSignedFallbackLine(event, sign).catch(() => toFallbackLine(event));

const BEGIN = `{"message":${JSON.stringify(FALLBACK_MESSAGE)},`;

/** All of it: the event may be one of another version. */
const toJson = (event: InterceptorEvent): string => escapeUnsafe(JSON.stringify(event));

export const toFallbackLine = (event: InterceptorEvent): string => `${BEGIN}"event":${toJson(event)}}`;

export async function toSignedFallbackLine(event: InterceptorEvent, sign: Sign): Promise<string> {
  const json = toJson(event);
  return `${BEGIN}"mac":"${await sign("fallback", json)}","event":${json}}`;
}

const WITH_MAC = /^\{"message":"[\w ]+","mac":"([\w.-]{0,64})","event":/;

/** The event of a fallback line, not examined further, and its MAC; null where the line holds no JSON. */
export function readFallbackLine(
  line: string,
): { readonly event: unknown; readonly mac: PresentedMac | null } | null {
  const [begin, mac] = WITH_MAC.exec(line) ?? [];
  if (begin !== undefined && mac !== undefined && line.endsWith("}")) {
    const text = line.slice(begin.length, -1);
    const event = parseJson(text);
    if (event !== undefined) return { event, mac: { mac, purpose: "fallback", text } };
  }
  const parsed = parseObject(line);
  if (parsed === null) return null;
  return { event: parsed["event"], mac: "mac" in parsed ? MISPLACED_MAC : null };
}
