/** UUIDs of interceptions and their events. */
import { eventId } from "../../src/events/event-id.ts";
import type { InterceptorEvent } from "../../src/events/event.ts";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isId = (text: string): boolean => ID.test(text);

/** The id of an interception's one event of a type. An id follows from these two facts alone. */
export const eventIdOf = (id: string, type: "interception_start" | "interception_end"): string =>
  eventId({ record_type: type, interception_id: id } as InterceptorEvent);
