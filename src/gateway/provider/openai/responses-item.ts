/** One output item of a Responses response: whether it is recorded, and how to read its tool call or its thoughts. */
import { callId, callName, type ResponseContent, type PartialToolCall } from "../response-content.ts";
import { toInput, type BoundedText } from "../bounded-text.ts";
import { asName } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type Item = {
  readonly type: string | null;
  /** Its id and its call's id, as first sent. */
  readonly ids: readonly string[];
  readonly call: PartialToolCall | null;
  /** Number of thoughts that have started so far. */
  thoughtCount: number;
  /** The thoughts that are kept, by their index in the item. */
  readonly thoughts: Map<unknown, BoundedText>;
  /** Whether the item has been sent in full. */
  done: boolean;
};

/** The types of all tool calls, including hosted ones, end in `_call`. */
const isCall = (type: unknown): type is string => typeof type === "string" && type.endsWith("_call");

export const typeOf = (value: JsonObject): string | null => callName(value["type"]);

export const nameOf = (value: JsonObject): string | null => callName(value["name"]);

export function isRecorded(item: JsonObject): boolean {
  const { type } = item;
  if (type === "message") return item["role"] === "assistant" && item["phase"] === "commentary";
  return type === "reasoning" || isCall(type);
}

export function idsOf(value: JsonObject): readonly string[] {
  return [asName(value["id"]), asName(value["call_id"])].filter((id) => id !== null);
}

/** Whether the value is the known item at the same position. Once that item is done, only an equal id proves it. */
export function isSame(known: Item, value: JsonObject): boolean {
  if (known.type !== typeOf(value)) return false;
  return !known.done || idsOf(value).some((id) => known.ids.includes(id));
}

export function startItem(value: JsonObject, content: ResponseContent): Item {
  const { type } = value;
  const call = isCall(type) ? content.call(type, null, null) : null;
  return { type: typeOf(value), ids: idsOf(value), call, thoughtCount: 0, thoughts: new Map(), done: false };
}

/** Starts the thought at `index` within the item, unless it has already started. */
export function startThought(item: Item, index: unknown, content: ResponseContent): void {
  if (typeof index !== "number" || index < item.thoughtCount) return;
  item.thoughtCount = index + 1;
  const thought = content.thought(item.type === "message" ? "commentary" : "reasoning_summary");
  if (thought) item.thoughts.set(index, thought);
}

/** Updates the item from a newer version of it. Fields that are absent keep their value. */
export function updateItem(item: Item, value: JsonObject, content: ResponseContent): void {
  const { call } = item;
  if (item.type === "reasoning") {
    objectsOf(value["summary"]).forEach(({ text }, index) => {
      startThought(item, index, content);
      item.thoughts.get(index)?.set(text);
    });
  } else if (item.type === "message") {
    startThought(item, 0, content);
    item.thoughts.get(0)?.set(outputText(value["content"]));
  } else if (call) {
    call.id = callId(value["call_id"]) ?? call.id ?? callId(value["id"]);
    call.name = callName(value["name"]) ?? call.name;
    call.namespace = callName(value["namespace"]) ?? call.namespace;
    call.input?.set(inputOf(value));
    call.error?.set(errorOf(value["error"]));
  }
}

/** The fields that hold the input, by kind of tool call. Results are in other fields. */
const INPUTS = ["arguments", "input", "code", "action", "actions", "operation", "queries"];

function inputOf(value: JsonObject): string | null {
  // The `action` of an image generation is a setting, not its input.
  if (value["type"] === "image_generation_call") return toInput(value["revised_prompt"]);
  return toInput(INPUTS.map((key) => value[key]).find((input) => input !== undefined && input !== null));
}

function errorOf(error: unknown): string | null {
  return toInput(asObject(error)?.["message"] ?? error);
}

function outputText(content: unknown): string {
  const parts = objectsOf(content).filter(({ type }) => type === "output_text");
  return parts.map(({ text }) => (typeof text === "string" ? text : "")).join("");
}

function objectsOf(list: unknown): readonly JsonObject[] {
  return Array.isArray(list) ? list.map(asObject).filter((entry) => entry !== null) : [];
}
