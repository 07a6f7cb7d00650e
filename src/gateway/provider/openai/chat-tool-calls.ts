/**
 * Tool calls of Chat Completions. A stream sends a call in pieces, and several calls side by side. The index of the
 * choice and the index of the call identify a call; its first piece has the name. Each call is added to the response's
 * content once.
 */
import { callId, callName, type ResponseContent, type PartialToolCall } from "../response-content.ts";
import { toInput } from "../bounded-text.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** Maximum number of calls to track, far more than are kept. Past it, each piece with a name counts as a call. */
const MAX_TRACKED = 1000;

/** A JSON string of at most 1,000 characters, longer than nearly every piece. The limit bounds the cost of matching. */
const STRING = String.raw`"(?:[^"\\]|\\.){0,1000}"`;
const ARGUMENTS = String.raw`\s*"arguments"\s*:\s*${STRING}\s*\}`;
const ONLY_ARGUMENTS = String.raw`\s*"index"\s*:\s*\d+\s*,\s*"function"\s*:\s*\{${ARGUMENTS}\s*\}\s*\]`;

/** Matches a chunk with a call or a piece of one, by the last five letters of `tool_calls` or `function_call`. */
export const CALL_PIECE = String.raw`calls"\s*:\s*\[\s*\{|_call"\s*:\s*\{`;
/** As `CALL_PIECE`, without the chunks that only continue the arguments of one call, which are nearly all of them. */
export const CALL_BEGINS = String.raw`calls"\s*:\s*\[\s*\{(?!${ONLY_ARGUMENTS})|_call"\s*:\s*\{(?!${ARGUMENTS})`;

type Piece = {
  readonly id: string | null;
  readonly name: string | null;
  /** null if the piece has no type. */
  readonly kind: string | null;
  readonly input: unknown;
};

type TrackedCall = {
  id: string | null;
  name: string | null;
  /** null if the call is only counted. */
  readonly call: PartialToolCall | null;
};

/** Returns a function that reads the tool calls of one choice, of a chunk (`delta`) or a whole response (`message`). */
export function createToolCallReader(content: ResponseContent): (choice: JsonObject) => void {
  /** By the index of the choice and the index of the call. */
  const tracked = new Map<string, TrackedCall>();

  const start = ({ kind, id, name, input }: Piece): PartialToolCall | null => {
    const call = content.call(kind ?? "function", id, name);
    call?.input?.set(toInput(input));
    return call;
  };

  const startOrContinue = (piece: Piece, key: string, indexed: boolean): void => {
    const { id, name, kind, input } = piece;
    const known = tracked.get(key);
    if (known && !isAnother(piece, known, indexed)) {
      known.id ??= id;
      known.name ??= name;
      if (!known.call) return;
      known.call.id ??= id;
      known.call.name ??= name;
      known.call.input?.add(input);
      return;
    }
    const hasRoom = known !== undefined || tracked.size < MAX_TRACKED;
    // A piece of an untracked call without id, type or name continues a call whose start was not read.
    if (name === null && (!hasRoom || (id === null && kind === null))) return;
    const call = start(piece);
    if (hasRoom) tracked.set(key, { id, name, call });
  };

  return (choice) => {
    const delta = asObject(choice["delta"]);
    const message = delta ?? asObject(choice["message"]);
    if (!message) return;
    const choiceIndex = typeof choice["index"] === "number" ? choice["index"] : 0;
    const list: unknown = message["tool_calls"];
    for (const entry of Array.isArray(list) ? list : []) {
      const value = asObject(entry);
      if (!value) continue;
      const index = typeof value["index"] === "number" ? value["index"] : null;
      if (delta) startOrContinue(readPiece(value), `${choiceIndex} ${index}`, index !== null);
      else start(readPiece(value));
    }
    const single = asObject(message["function_call"]);
    if (!single) return;
    if (delta) startOrContinue(readSingle(single), `${choiceIndex}`, true);
    else start(readSingle(single));
  };
}

/**
 * Whether the piece starts another call than the one tracked under its key. Some servers give parallel calls the same
 * index or no index, and some of these omit the ids as well.
 */
function isAnother({ id, name }: Piece, known: TrackedCall, indexed: boolean): boolean {
  if (id !== null && known.id !== null) return id !== known.id;
  if (name === null) return false;
  return !indexed || (id === null && known.id === null && known.name !== null && known.name !== name);
}

function readPiece(value: JsonObject): Piece {
  const custom = asObject(value["custom"]);
  const tool = custom ?? asObject(value["function"]);
  return {
    id: callId(value["id"]),
    name: callName(tool?.["name"]),
    kind: callName(value["type"]) ?? (custom ? "custom" : null),
    input: custom ? custom["input"] : tool?.["arguments"],
  };
}

/** Reads the deprecated `function_call`: a single call without an id. */
function readSingle(value: JsonObject): Piece {
  const name = callName(value["name"]);
  return { id: null, name, kind: name === null ? null : "function_call", input: value["arguments"] };
}
