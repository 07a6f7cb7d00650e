/** One interception as a row, from the gateway's events, and its comparison with the expected row. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { EventOf, RecordType } from "../../src/events/fields.ts";

export type Row = {
  readonly client: string;
  readonly actor: string;
  readonly initiator: string;
  readonly attribution: string;
  readonly model: string;
  /** Tokens; `?` where they are unknown. */
  readonly input: string;
  readonly output: string;
  readonly outcome: string;
  /** The decision about the owner header: `override`, the reason for its rejection, or empty without one. */
  readonly owner: string;
};

export const UNKNOWN = "?";
const NONE = "–";

/** Whether all events of an interception are there. Its end comes last; a refusal without a start is the only event. */
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

export function find<Type extends RecordType>(
  events: readonly InterceptorEvent[],
  type: Type,
): EventOf<Type> | undefined {
  return events.find((event) => event.record_type === type) as EventOf<Type> | undefined;
}

/** A RegExp where the exact text is not fixed, such as a key's fingerprint. */
export type Expected = { readonly [K in keyof Row]: string | RegExp };

/** One sentence per column that differs from the expected row. */
export function differences(row: Row, expected: Expected): readonly string[] {
  const columns = Object.keys(expected) as (keyof Row)[];
  return columns.flatMap((column) => {
    const [actual, wanted] = [row[column], expected[column]];
    const matches = typeof wanted === "string" ? actual === wanted : wanted.test(actual);
    return matches ? [] : [`${column} is ${JSON.stringify(actual)}, expected ${String(wanted)}`];
  });
}
