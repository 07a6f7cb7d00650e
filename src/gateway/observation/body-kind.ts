/** The kind of a response body by its first characters. Where these tell nothing, its Content-Type counts. */

/** The fields of an event stream. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
const FIELDS = ["data", "event", "id", "retry"];
const FIELD_START = new RegExp(`^(?:${FIELDS.join("|")})(?::|[\\r\\n])|^:`);
/** The start of an object or a list. A JSON text that is another value is no response. */
const JSON_START = /^[{[]/;
/** Characters of the longest field's name and its colon. */
const LONGEST_FIELD = 6;
/** Characters of blanks after which the declared kind counts. */
const MAX_BLANKS = 64 * 1024;

/** @returns the kind, `unknown` if the start tells none, or null while more characters are needed. */
export function sniffKind(start: string): "events" | "json" | "unknown" | null {
  const text = start.trimStart();
  if (FIELD_START.test(text)) return "events";
  if (JSON_START.test(text)) return "json";
  const mayBeField = text.length < LONGEST_FIELD && FIELDS.some((field) => field.startsWith(text));
  // Blanks alone are keep-alives of either kind.
  return mayBeField && start.length < MAX_BLANKS ? null : "unknown";
}
