/**
 * Reads a response of the Responses API: https://platform.openai.com/docs/api-reference/responses-streaming. Events that
 * cannot change the report are recognized by a pattern and not parsed.
 */
import type { ResponseReader, ContentOptions } from "../response-reader.ts";
import { MAY_HOLD_ERROR } from "../provider-error.ts";
import { collectContent } from "../response-content.ts";
import { ResponsesFields } from "./responses-fields.ts";
import { createOutputItems } from "./responses-items.ts";
import { asObject, parseJson, type JsonObject } from "../../../shared/json.ts";

const TERMINAL = new Set([
  "response.completed",
  "response.done",
  "response.incomplete",
  "response.failed",
  "response.cancelled",
  "error",
]);
/** Events that contain the whole response or an output item, start a thought, end the stream, or have an error. */
const RELEVANT_TYPE =
  /"type"\s*:\s*"response\.(?:created|completed|done|incomplete|failed|cancelled|output_item\.(?:added|done)|reasoning_summary_part\.added)"/;
const RELEVANT = new RegExp(`${RELEVANT_TYPE.source}|${MAY_HOLD_ERROR}`);

const CREATED = "response.created";

export function responsesReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const items = createOutputItems(content, keep);
  const fields = new ResponsesFields(keep);

  const readEvent = (type: string, event: JsonObject): void => {
    if (type.endsWith(".delta")) return items.delta(event);
    if (type === "response.output_item.added") return items.item(event, false);
    if (type === "response.output_item.done") return items.item(event, true);
    if (type === "response.reasoning_summary_part.added") return items.summaryPart(event);
    if (!type.startsWith("response.") && type !== "error") return fields.failIfError(event, "event");
    const terminal = TERMINAL.has(type);
    if (!terminal && type !== CREATED) return;
    const response = asObject(event["response"]);
    if (response) fields.read(response, terminal);
    if (!terminal) return;
    if (type === "error") fields.readErrorEvent(event);
    items.output(response?.["output"]);
    fields.end(type);
  };

  return {
    event(data, name) {
      if (data === "[DONE]") return;
      const terminal = TERMINAL.has(name);
      if (data === "" && terminal) {
        // The event was too large to be passed on; only its name is known.
        if (name === "error") fields.readErrorEvent(null);
        return fields.end(name);
      }
      const isTyped = data.includes('"type"');
      if (isTyped && !terminal && name !== CREATED && !RELEVANT.test(data) && !items.mayBeDelta(data)) return;
      const parsed = parseJson(data);
      const value = asObject(parsed);
      // Some servers send the type only as the event's name.
      const type = value?.["type"] ?? (name.startsWith("response.") ? name : undefined);
      if (value && typeof type === "string") readEvent(type, value);
      // An error without a type, or of a name that only the event's `event:` line has.
      else if (name === "error") fields.readErrorEvent(parsed ?? data);
      else fields.failIfError(parsed, "event");
    },
    body(value) {
      fields.ended = true;
      const object = asObject(value);
      if (!object) return fields.failIfError(value, "body");
      fields.queued = object["status"] === "queued" || object["status"] === "in_progress";
      fields.read(object, !fields.queued);
      items.output(object["output"]);
    },
    report: () => ({ ...fields.report(), ...content.report() }),
  };
}
