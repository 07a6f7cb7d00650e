/** One output item of a Responses answer: whether it tells anything, and what it is called with or says. */
import { callId, callName, type ResponseContent, type PartialToolCall } from "../response-content.ts";
import { toInput, type BoundedText } from "../bounded-text.ts";
import { asName } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type Item = {
  readonly type: string | null;
  /** Its id and its call's, as it was told first. */
  readonly names: readonly string[];
  readonly call: PartialToolCall | null;
  /** How many thoughts it has so far, and by their index those that are kept. */
  parts: number;
  readonly thoughts: Map<unknown, BoundedText>;
  /** All of it has been told. */
  done: boolean;
};

/** The types of tool calls, hosted ones too, all end like this. */
const isCall = (type: unknown): type is string => typeof type === "string" && type.endsWith("_call");

export const typeOf = (value: JsonObject): string | null => callName(value["type"]);

export function isRecorded(item: JsonObject): boolean {
  const { type } = item;
  if (type === "message") return item["role"] === "assistant" && item["phase"] === "commentary";
  return type === "reasoning" || isCall(type);
}

export function namesOf(value: JsonObject): readonly string[] {
  return [asName(value["id"]), asName(value["call_id"])].filter((name) => name !== null);
}

/** Whether an item in the place of a known one is that one: where all of that has been told, only by its own name. */
export function isSame(known: Item, value: JsonObject): boolean {
  if (known.type !== typeOf(value)) return false;
  return !known.done || namesOf(value).some((name) => known.names.includes(name));
}

export function startItem(value: JsonObject, content: ResponseContent): Item {
  const { type } = value;
  const call = isCall(type) ? content.call(type, null, null) : null;
  return { type: typeOf(value), names: namesOf(value), call, parts: 0, thoughts: new Map(), done: false };
}

/** A thought begins, unless it has before: `index` is its place among the item's. */
export function startThought(item: Item, index: unknown, content: ResponseContent): void {
  if (typeof index !== "number" || index < item.parts) return;
  item.parts = index + 1;
  const thought = content.thought();
  if (thought) item.thoughts.set(index, thought);
}

/** Takes what the item says of itself by now; what it does not say stands. */
export function updateItem(item: Item, value: JsonObject, content: ResponseContent): void {
  const { call } = item;
  if (item.type === "reasoning") {
    objectsOf(value["summary"]).forEach(({ text }, index) => {
      startThought(item, index, content);
      item.thoughts.get(index)?.set(text);
    });
  } else if (item.type === "message") {
    startThought(item, 0, content);
    item.thoughts.get(0)?.set(spoken(value["content"]));
  } else if (call) {
    call.id = callId(value["call_id"]) ?? call.id ?? callId(value["id"]);
    call.name = callName(value["name"]) ?? call.name;
    call.input?.set(inputOf(value));
    call.error?.set(errorOf(value["error"]));
  }
}

/** Where the kinds have what they are called with; what came of it stands in others. */
const INPUTS = ["arguments", "input", "code", "action", "actions", "operation", "queries"];

function inputOf(value: JsonObject): string | null {
  // Its `action` is a setting.
  if (value["type"] === "image_generation_call") return toInput(value["revised_prompt"]);
  return toInput(INPUTS.map((key) => value[key]).find((input) => input !== undefined && input !== null));
}

function errorOf(error: unknown): string | null {
  return toInput(asObject(error)?.["message"] ?? error);
}

function spoken(content: unknown): string {
  const said = objectsOf(content).filter(({ type }) => type === "output_text");
  return said.map(({ text }) => (typeof text === "string" ? text : "")).join("");
}

function objectsOf(list: unknown): readonly JsonObject[] {
  return Array.isArray(list) ? list.map(asObject).filter((one) => one !== null) : [];
}
