/** An event as JSON of a bounded size. If JSON's escapes make it too large, its content is truncated. */
import { byteLength, truncate } from "../shared/text.ts";
import type { InterceptorEvent } from "./event.ts";
import type { RecordType } from "./fields.ts";
import { RECORD_FACTS, type RecordFacts } from "./record-facts.ts";

/** Whether the field holds content; nothing else in an event is long. */
export function isContent(type: RecordType, name: string): boolean {
  const { content }: RecordFacts = RECORD_FACTS[type];
  return content.includes(name);
}

/**
 * The event as JSON of at most `maxBytes` bytes of UTF-8, its content halved until it fits.
 * @throws RangeError where it does not fit even without content.
 */
export const toJsonWithin = (event: InterceptorEvent, maxBytes: number): string =>
  textWithin(JSON.stringify(event), maxBytes);

/** The same for an event of which only the text is left. */
export function textWithin(whole: string, maxBytes: number): string {
  if (fits(whole, maxBytes)) return whole;
  const event = JSON.parse(whole) as InterceptorEvent;
  for (let max = 8192; max >= 1; max = max >> 1) {
    const json = JSON.stringify(withTruncatedContent(event, max));
    if (fits(json, maxBytes)) return json;
  }
  throw new RangeError(`an event of ${whole.length} characters does not fit into ${maxBytes} bytes`);
}

/** Whether the text takes at most `maxBytes` bytes of UTF-8. */
export function fits(text: string, maxBytes: number): boolean {
  // A UTF-16 unit takes one to three bytes: most texts need not be counted.
  return text.length * 3 <= maxBytes || (text.length <= maxBytes && byteLength(text) <= maxBytes);
}

function withTruncatedContent(event: InterceptorEvent, max: number): object {
  const entries = Object.entries(event).map(([name, value]: [string, unknown]) => {
    if (name === "truncated") return [name, true];
    return [
      name,
      isContent(event.record_type, name) && typeof value === "string" ? truncate(value, max) : value,
    ];
  });
  return Object.fromEntries(entries) as object;
}
