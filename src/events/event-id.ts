/**
 * The id of an event, derived from the event alone: an event that is delivered again has the same id, so a table and an
 * archive recognize it.
 *
 * A UUID of version 8 (RFC 9562 §5.8) made of the interception's UUIDv7. The time stays in front, so the ids of a table
 * are in the order of time. Version 7's twelve bits `rand_a` are replaced: four bits of record type and eight bits of
 * position; where the four are 1111, four of the eight tell further record types apart. 62 random bits remain: two interceptions of one millisecond share them once in 2^62.
 */
import { asObject, type JsonObject } from "../shared/json.ts";
import { isUuid } from "../shared/uuid.ts";
import type { InterceptorEvent } from "./event.ts";
import type { RecordType } from "./fields.ts";
import { RECORD_FACTS } from "./record-facts.ts";

const POSITIONS = 256;
/** From this code on, the first half of the position's eight bits tells the record types apart. */
const EXTENDED = 15;
/** The positions of such a record type, from 0 on. */
export const EXTENDED_POSITIONS = 16;

/** Only for events that `hasEventId` accepts. */
export function eventId(event: InterceptorEvent): string {
  const { code } = RECORD_FACTS[event.record_type];
  const position = positionOf(event);
  const low = code < EXTENDED ? position : (code - EXTENDED) * EXTENDED_POSITIONS + position;
  const bits = `${Math.min(code, EXTENDED).toString(16)}${low.toString(16).padStart(2, "0")}`;
  return `${event.interception_id.slice(0, 14)}8${bits}${event.interception_id.slice(18)}`;
}

/** The code of the record type in an event's id. */
export function codeInId(id: string): number {
  const code = Number.parseInt(id.charAt(15), 16);
  return code < EXTENDED ? code : EXTENDED + Number.parseInt(id.charAt(16), 16);
}

/** Whether a value of any origin has all parts of an event id: without them it is not an event of this version. */
export function hasEventId(value: unknown): value is InterceptorEvent {
  const { record_type: type, interception_id: id, position } = partsOf(value);
  if (!isRecordType(type) || !isInterceptionId(id)) return false;
  const { hasPosition, code } = RECORD_FACTS[type];
  return !hasPosition || isPosition(position, code < EXTENDED ? POSITIONS : EXTENDED_POSITIONS);
}

/** Whether a value of any origin looks like an event of a type that a newer version records. */
export function isOfUnknownType(value: unknown): boolean {
  const { record_type: type, interception_id: id } = partsOf(value);
  return typeof type === "string" && !isRecordType(type) && isInterceptionId(id);
}

const partsOf = (value: unknown): JsonObject => asObject(value) ?? {};

/** In lower case, as all ids here are: ids are ordered by their characters. */
const isInterceptionId = (id: unknown): boolean => typeof id === "string" && isUuid(id) && !/[A-F]/.test(id);

const isRecordType = (type: unknown): type is RecordType =>
  typeof type === "string" && Object.hasOwn(RECORD_FACTS, type);

function isPosition(value: unknown, positions: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < positions;
}

/** Zero-based index among the events of one type that a response has. */
function positionOf(event: InterceptorEvent): number {
  return "position" in event ? event.position : 0;
}
