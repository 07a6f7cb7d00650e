/**
 * Output items of a Responses response: tool calls, hosted or not, reasoning and commentary. A stream sends an item up to
 * three times (when it starts, when it is done, and in the whole response at the end) and its text in deltas as well.
 * Each item is added to the response's content once.
 */
import type { ContentOptions } from "../response-reader.ts";
import type { ResponseContent } from "../response-content.ts";
import { ItemIndex } from "./responses-item-index.ts";
import {
  startItem,
  updateItem,
  isSame,
  isRecorded,
  idsOf,
  startThought,
  nameOf,
  typeOf,
  type Item,
} from "./responses-item.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type OutputItems = {
  /** Reads a `response.output_item.added` or `….done` event. */
  readonly item: (event: JsonObject, done: boolean) => void;
  /** Reads a `response.reasoning_summary_part.added` event. */
  readonly summaryPart: (event: JsonObject) => void;
  /** Reads an event for which `mayBeDelta` returned true. */
  readonly delta: (event: JsonObject) => void;
  readonly mayBeDelta: (data: string) => boolean;
  /** Reads the whole output and adds the items that no event has completed. */
  readonly output: (list: unknown) => void;
};

const INPUT_DELTA =
  /"type"\s*:\s*"response\.(?:function_call_arguments|custom_tool_call_input|mcp_call_arguments|code_interpreter_call_code)\.delta"/;
const SUMMARY_DELTA = /"type"\s*:\s*"response\.reasoning_summary_text\.delta"/;
const TEXT_DELTA = /"type"\s*:\s*"response\.output_text\.delta"/;

export function createOutputItems(content: ResponseContent, keep: ContentOptions): OutputItems {
  const index = new ItemIndex();
  /** A commentary has started. The many text deltas are read only until it is done. */
  let commentaryOpen = false;
  let outputRead = false;

  /** The item of an event; null for one that is not in the index and will be sent again when it is done. */
  const findOrStart = (value: JsonObject, position: unknown, done: boolean): Item | null => {
    const ids = idsOf(value);
    const isIdentified = typeof position === "number" || ids.length > 0;
    const known = isIdentified
      ? index.find(position, ids)
      : done && index.takeOpen(typeOf(value), nameOf(value));
    if (known && isSame(known, value)) return known;
    if (!done && !index.hasRoom()) return null;
    const item = startItem(value, content);
    if (isIdentified && index.hasRoom()) index.add(item, position, ids);
    else index.addUnidentified(item, done);
    return item;
  };

  return {
    item(event, done) {
      const value = asObject(event["item"]);
      if (!value || !isRecorded(value)) return;
      const item = findOrStart(value, event["output_index"], done);
      if (!item) return;
      updateItem(item, value, content);
      item.done = done;
      if (item.type === "message") commentaryOpen = !done;
    },
    summaryPart(event) {
      const item = index.ofEvent(event);
      if (item?.type === "reasoning") startThought(item, event["summary_index"], content);
    },
    delta(event) {
      const item = index.ofEvent(event);
      if (!item || item.done) return;
      const text = item.call ? item.call.input : item.thoughts.get(event["summary_index"] ?? 0);
      text?.add(event["delta"]);
    },
    mayBeDelta: (data) =>
      (keep.toolInputs && INPUT_DELTA.test(data)) ||
      (keep.thoughts && (SUMMARY_DELTA.test(data) || (commentaryOpen && TEXT_DELTA.test(data)))),
    output(list) {
      if (outputRead || !Array.isArray(list)) return;
      outputRead = true;
      for (const [position, entry] of list.entries()) {
        const value = asObject(entry);
        if (!value || !isRecorded(value)) continue;
        const samePosition = index.at(position);
        const known =
          index.withId(idsOf(value)) ?? (samePosition?.type === typeOf(value) ? samePosition : undefined);
        if (!known && index.takeUnidentified(typeOf(value))) continue;
        if (!known?.done) updateItem(known ?? startItem(value, content), value, content);
      }
    },
  };
}
