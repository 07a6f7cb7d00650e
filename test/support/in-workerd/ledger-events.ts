/** Events of interceptions as the queue delivers them, in any order and any number of times. */
import { between } from "../rechunk.ts";
import type { InterceptionStart, InterceptorEvent, ToolUsage } from "../../../src/events/event.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import {
  END,
  OVERRIDE,
  PASSED,
  PASSTHROUGH_START,
  PROMPT,
  REFUSALS_COUNTED,
  REFUSED,
  REJECTED,
  START,
  THOUGHT,
  TOKENS,
  TOOL,
} from "./events.ts";
import { OWNER } from "./values.ts";

/** 2026-11-23T12:00:00Z. */
export const T0 = Date.UTC(2026, 10, 23, 12);

/** The id of interception `n`. Each begins one second after the one before. */
export const idOf = (n: number, at = T0): string =>
  uuidV7(at + n * 1000, `00000000-0000-4abc-8def-${n.toString(16).padStart(12, "0")}`);

export type InterceptionSpec = {
  readonly n: number;
  readonly initiator?: string;
  /** Ids of the tool calls in its response. */
  readonly toolCalls?: readonly (string | null)[];
  /** The tool call whose result its request carries. */
  readonly resultOf?: string | null;
  readonly session?: string | null;
  readonly at?: number;
  /** The principals and the attribution; the service account that asserts the owner by default. */
  readonly evidence?: Evidence;
};

export type Evidence = Pick<
  InterceptionStart,
  "actor_id" | "actor_kind" | "identity_source" | "initiator_source" | "attribution"
>;

/** Start, end, usage and tools of one interception. */
export function eventsOf(spec: InterceptionSpec): InterceptorEvent[] {
  const {
    n,
    initiator = OWNER,
    toolCalls = [],
    resultOf = null,
    session = null,
    at = T0,
    evidence = {},
  } = spec;
  const ids = { interception_id: idOf(n, at), initiator_id: initiator };
  const started_at = new Date(at + n * 1000).toISOString();
  const created_at = new Date(at + n * 1000 + 700).toISOString();
  const tools: ToolUsage[] = toolCalls.map((tool_call_id, position) => ({
    ...TOOL,
    ...ids,
    tool_call_id,
    position,
    created_at,
  }));
  const shared = { ...ids, ...evidence, client_session_id: session, started_at };
  return [
    { ...START, ...shared, correlating_tool_call_id: resultOf },
    { ...END, ...shared, ended_at: created_at, tool_call_count: tools.length },
    { ...TOKENS, ...ids, created_at },
    ...tools,
  ];
}

/** A refusal with a verified actor, of which any number is stored. */
const REFUSED_ACTOR: InterceptorEvent = {
  ...REFUSED,
  actor_id: "ci-bot",
  actor_kind: "service",
  identity_source: "keys",
  actor_verified: true,
};

/** The same events and one of every other type that has a table. */
export function allEventsOf(spec: InterceptionSpec): InterceptorEvent[] {
  const events = eventsOf(spec);
  const { interception_id } = events[0] ?? START;
  const others = [
    PROMPT,
    THOUGHT,
    { ...THOUGHT, position: 1 },
    OVERRIDE,
    REJECTED,
    REFUSED_ACTOR,
    PASSTHROUGH_START,
    PASSED,
  ];
  // The cron merges the counts of one minute.
  const minute = new Date((spec.at ?? T0) + spec.n * 60_000).toISOString();
  const counted = { ...REFUSALS_COUNTED, minute };
  return [...events, ...[...others, counted].map((event) => ({ ...event, interception_id }))];
}

export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const left = [...values];
  return values.map(() => left.splice(between(random, 0, left.length - 1), 1)[0] as T);
}

/** The values in random order, each one to three times, in groups of random size. */
export function deliveries<T>(values: readonly T[], random: () => number): T[][] {
  const again = values.flatMap((value) => Array.from({ length: between(random, 1, 3) }, () => value));
  const calls: T[][] = [];
  for (const value of shuffled(again, random)) {
    const open = calls.at(-1);
    if (open && random() < 0.6) open.push(value);
    else calls.push([value]);
  }
  return calls;
}
