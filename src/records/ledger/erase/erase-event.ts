/** Erases a person in an event outside the ledger's rows: one that still arrives, is archived, or has no valid MAC. */
import { eventId, hasEventId } from "../../../events/event-id.ts";
import { asObject } from "../../../shared/json.ts";
import { erasedValues, type Rules } from "./field-rules.ts";
import { withoutPerson } from "./person.ts";

/** @returns the event itself where it does not concern the person. */
export function eraseEvent<T>(event: T, rules: Rules): T {
  if (!hasEventId(event)) return eraseUnknown(event, rules);
  const values = event as unknown as Readonly<Record<string, unknown>>;
  const changed = erasedValues({ id: eventId(event), type: event.record_type, values }, rules);
  return Object.keys(changed).length === 0 ? event : { ...event, ...changed };
}

/** Of an event that this version does not know, nothing but type, id and principals stays where the person is one of those. */
function eraseUnknown<T>(event: T, { person }: Rules): T {
  const values = asObject(event);
  if (values === null) return event;
  const isPerson = (id: unknown): boolean => typeof id === "string" && person.isId(id);
  const without = withoutPerson(values, person) as T & object;
  if (!isPerson(values["initiator_id"]) && !isPerson(values["actor_id"]))
    return JSON.stringify(without) === JSON.stringify(values) ? event : without;
  return Object.fromEntries(Object.entries(without).filter(([name]) => KEPT.has(name))) as T;
}

const KEPT: ReadonlySet<string> = new Set([
  "event_id",
  "record_type",
  "interception_id",
  "initiator_id",
  "actor_id",
]);
