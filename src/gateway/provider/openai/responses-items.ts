/**
 * The output items of a Responses answer: tool calls, hosted or not, reasoning, commentary. An item is told up to three
 * times (as it begins, as it is done, and in the whole response at the end) and its text in pieces besides. Receives all
 * of these, hands each item on to the answer's content once.
 */
import type { ContentOptions } from "../response-reader.ts";
import type { ResponseContent } from "../response-content.ts";
import {
  startItem,
  updateItem,
  isSame,
  isRecorded,
  namesOf,
  startThought,
  typeOf,
  type Item,
} from "./responses-item.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type Items = {
  /** `response.output_item.added` and `….done`. */
  readonly item: (event: JsonObject, done: boolean) => void;
  /** `response.reasoning_summary_part.added`. */
  readonly part: (event: JsonObject) => void;
  /** An event for which `mayBePiece` holds. */
  readonly piece: (event: JsonObject) => void;
  readonly mayBePiece: (data: string) => boolean;
  /** The whole output: what of it has not been told yet. */
  readonly output: (list: unknown) => void;
};

/** So many items are told apart, far more than are kept; past them one is counted as it is done. */
const MAX_ITEMS = 1000;

const INPUT_PIECE =
  /"type"\s*:\s*"response\.(?:function_call_arguments|custom_tool_call_input|mcp_call_arguments|code_interpreter_call_code)\.delta"/;
const SUMMARY_PIECE = /"type"\s*:\s*"response\.reasoning_summary_text\.delta"/;
const TEXT_PIECE = /"type"\s*:\s*"response\.output_text\.delta"/;

export function responseItems(content: ResponseContent, keep: ContentOptions): Items {
  /** Each item by its place, and by its id and its call's, as some servers leave one out or change it on the way. */
  const places = new Map<unknown, Item>();
  const ids = new Map<string, Item>();
  /** An item came that can not be told from others. */
  let untold = false;
  /** A commentary is being told: only then is there anything in the many pieces of text. */
  let speaking = false;
  /** The whole output has been read. */
  let whole = false;

  const find = (place: unknown, names: readonly string[]): Item | undefined => {
    if (typeof place === "number") return places.get(place);
    return names.map((name) => ids.get(name)).find((item) => item !== undefined);
  };
  const remember = (item: Item, place: unknown, names: readonly string[]): void => {
    if (typeof place === "number") places.set(place, item);
    for (const name of names) ids.set(name, item);
  };

  return {
    item(event, done) {
      const value = asObject(event["item"]);
      if (!value || !isRecorded(value)) return;
      const place = event["output_index"];
      const names = namesOf(value);
      const known = find(place, names);
      let item = known && isSame(known, value) ? known : null;
      if (!item) {
        const room =
          places.size < MAX_ITEMS &&
          ids.size < 2 * MAX_ITEMS &&
          (typeof place === "number" || names.length > 0);
        untold ||= !room;
        if (!room && !done) return;
        item = startItem(value, content);
        if (room) remember(item, place, names);
      }
      updateItem(item, value, content);
      item.done = done;
      if (item.type === "message") speaking = !done;
    },
    part(event) {
      const item = find(event["output_index"], namesOf({ id: event["item_id"] }));
      if (item?.type === "reasoning") startThought(item, event["summary_index"], content);
    },
    piece(event) {
      const item = find(event["output_index"], namesOf({ id: event["item_id"] }));
      if (!item || item.done) return;
      const text = item.call ? item.call.input : item.thoughts.get(event["summary_index"] ?? 0);
      text?.add(event["delta"]);
    },
    mayBePiece: (data) =>
      (keep.toolInputs && INPUT_PIECE.test(data)) ||
      (keep.thoughts && (SUMMARY_PIECE.test(data) || (speaking && TEXT_PIECE.test(data)))),
    output(list) {
      if (whole || untold || !Array.isArray(list)) return;
      whole = true;
      for (const [place, entry] of list.entries()) {
        const value = asObject(entry);
        if (!value || !isRecorded(value)) continue;
        const there = places.get(place);
        const known = find(null, namesOf(value)) ?? (there?.type === typeOf(value) ? there : undefined);
        if (!known?.done) updateItem(known ?? startItem(value, content), value, content);
      }
    },
  };
}
