/** One interception as the Worker's events tell it, and how it compares with what should have come of it. */
import type { InterceptorEvent } from "../../src/events/event.ts";

type EventOf<K extends InterceptorEvent["record_type"]> = Extract<
  InterceptorEvent,
  { readonly record_type: K }
>;

export type Row = {
  readonly client: string;
  readonly actor: string;
  readonly initiator: string;
  readonly attribution: string;
  readonly model: string;
  /** Tokens; `?` where they are not known. */
  readonly input: string;
  readonly output: string;
  readonly outcome: string;
  /** What became of the owner header: `override`, the reason why it does not count, or nothing. */
  readonly owner: string;
};

export const UNKNOWN = "?";
const NONE = "–";

/** Whether the Worker has said all it has to say of an interception: its end comes last, a refusal alone. */
export function isComplete(events: readonly InterceptorEvent[]): boolean {
  if (find(events, "interception_start") === undefined) return find(events, "refusal") !== undefined;
  return find(events, "interception_end") !== undefined;
}

export function rowOf(events: readonly InterceptorEvent[]): Row {
  const start = find(events, "interception_start");
  const end = find(events, "interception_end");
  const refusal = find(events, "refusal");
  const refused = refusal && `refused ${refusal.status} ${refusal.reason}`;
  return {
    client: start?.client ?? refusal?.client ?? NONE,
    actor: start?.actor_id ?? refusal?.actor_id ?? NONE,
    initiator: start?.initiator_id ?? refusal?.initiator_id ?? NONE,
    attribution: start?.attribution ?? NONE,
    model: start?.model ?? NONE,
    input: start ? String(end?.input_tokens ?? UNKNOWN) : NONE,
    output: start ? String(end?.output_tokens ?? UNKNOWN) : NONE,
    outcome: refused ?? end?.outcome ?? UNKNOWN,
    owner: ownerColumn(events),
  };
}

function ownerColumn(events: readonly InterceptorEvent[]): string {
  if (find(events, "initiator_override")) return "override";
  const rejection = find(events, "initiator_override_rejected");
  return rejection ? `rejected: ${rejection.reason}` : "";
}

export function find<K extends InterceptorEvent["record_type"]>(
  events: readonly InterceptorEvent[],
  kind: K,
): EventOf<K> | undefined {
  return events.find((event): event is EventOf<K> => event.record_type === kind);
}

/** A RegExp where the exact text is not for the story to know, such as a key's fingerprint. */
export type Expected = { readonly [K in keyof Row]: string | RegExp };

/** One sentence for each column that is not as expected. */
export function differences(row: Row, expected: Expected): readonly string[] {
  const columns = Object.keys(expected) as (keyof Row)[];
  return columns.flatMap((column) => {
    const [is, should] = [row[column], expected[column]];
    const same = typeof should === "string" ? is === should : should.test(is);
    return same ? [] : [`${column} is ${JSON.stringify(is)}, expected ${String(should)}`];
  });
}
