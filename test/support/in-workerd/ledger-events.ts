/** The events of interceptions as the ledger gets them, and every way in which they can arrive. */
import { between } from "../rechunk.ts";
import type { InterceptorEvent, ToolUsage } from "../../../src/events/event.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import { END, OVERRIDE, PROMPT, REJECTED, START, THOUGHT, TOKENS, TOOL } from "./events.ts";
import { OWNER } from "./values.ts";

/** 2026-11-23T12:00:00Z. */
export const T0 = Date.UTC(2026, 10, 23, 12);

/** The id of the n-th interception; each begins a second after the one before. */
export const idOf = (n: number, at = T0): string =>
  uuidV7(at + n * 1000, `00000000-0000-4abc-8def-${n.toString(16).padStart(12, "0")}`);

export type Story = {
  readonly n: number;
  readonly initiator?: string;
  /** Ids of the tool calls that its answer asks for. */
  readonly asks?: readonly (string | null)[];
  /** The tool call whose result it brings back. */
  readonly brings?: string | null;
  readonly session?: string | null;
  readonly at?: number;
};

/** Start, end, usage and tools of one interception. */
export function eventsOf(story: Story): InterceptorEvent[] {
  const { n, initiator = OWNER, asks = [], brings = null, session = null, at = T0 } = story;
  const own = { interception_id: idOf(n, at), initiator_id: initiator };
  const started_at = new Date(at + n * 1000).toISOString();
  const created_at = new Date(at + n * 1000 + 700).toISOString();
  const tools: ToolUsage[] = asks.map((tool_call_id, position) => ({
    ...TOOL,
    ...own,
    tool_call_id,
    position,
    created_at,
  }));
  const shared = { ...own, client_session_id: session, started_at };
  return [
    { ...START, ...shared, correlating_tool_call_id: brings },
    { ...END, ...shared, ended_at: created_at, tool_call_count: tools.length },
    { ...TOKENS, ...own, created_at },
    ...tools,
  ];
}

/** The same, with one of every other event that has a table. */
export function wholeEventsOf(story: Story): InterceptorEvent[] {
  const events = eventsOf(story);
  const { interception_id } = events[0] ?? START;
  const others = [PROMPT, THOUGHT, { ...THOUGHT, position: 1 }, OVERRIDE, REJECTED];
  return [...events, ...others.map((event) => ({ ...event, interception_id }))];
}

export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const left = [...values];
  return values.map(() => left.splice(between(random, 0, left.length - 1), 1)[0] as T);
}

/** In any order, each once to three times, in calls of any size. */
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
