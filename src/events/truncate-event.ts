/**
 * An event as JSON of at most so many bytes of UTF-8. Nearly all fit as they are; where JSON's escapes blow content up
 * past that, the content is cut further and says so, rather than the event be lost.
 */
import { byteLength, truncate } from "../shared/text.ts";
import type { InterceptorEvent } from "./event.ts";

/** Fields that hold content; nothing else in an event is long. */
const CONTENT = new Set(["prompt", "content", "input", "invocation_error", "error_message"]);

/** Rejects what even without content is too large: none of ours. */
export function toJsonWithin(event: InterceptorEvent, maxBytes: number): string {
  const whole = JSON.stringify(event);
  if (fits(whole, maxBytes)) return whole;
  for (let most = 8192; most >= 1; most = most >> 1) {
    const cut = JSON.stringify(withContent(event, most));
    if (fits(cut, maxBytes)) return cut;
  }
  throw new RangeError(`an event of ${whole.length} characters does not fit into ${maxBytes} bytes`);
}

function fits(text: string, maxBytes: number): boolean {
  // A character takes one to three bytes: most texts need not be counted.
  return text.length * 3 <= maxBytes || (text.length <= maxBytes && byteLength(text) <= maxBytes);
}

function withContent(event: InterceptorEvent, most: number): object {
  const entries = Object.entries(event).map(([name, value]: [string, unknown]) => {
    if (name === "truncated") return [name, true];
    if (!CONTENT.has(name) || typeof value !== "string") return [name, value];
    return [name, truncate(value, most)];
  });
  return Object.fromEntries(entries) as object;
}
