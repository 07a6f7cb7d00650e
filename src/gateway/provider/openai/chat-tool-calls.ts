/**
 * Tool calls of Chat Completions. In streams a call comes in pieces, several calls' side by side, each told by the index
 * of its choice and its own; the first piece names it. Receives choices, hands each call on to the answer's content.
 */
import { callId, callName, type ResponseContent, type PartialToolCall } from "../response-content.ts";
import { toInput } from "../bounded-text.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

/** So many calls' pieces are told apart, far more than are kept; past them each piece with a name counts as a call. */
const MAX_PLACES = 1000;

/** A JSON string no longer than nearly every piece: looking for its end must not get dear. */
const STRING = String.raw`"(?:[^"\\]|\\.){0,1000}"`;
const MORE = String.raw`\s*"arguments"\s*:\s*${STRING}\s*\}`;
const ONLY_MORE = String.raw`\s*"index"\s*:\s*\d+\s*,\s*"function"\s*:\s*\{${MORE}\s*\}\s*\]`;

/** The pattern of a chunk with a call in it, or a piece of one: of `tool_calls` or `function_call` the last five letters … */
export const CALL_PIECE = String.raw`calls"\s*:\s*\[\s*\{|_call"\s*:\s*\{`;
/** … and the same less what nearly all of them are: a piece of one call's arguments that says nothing else. */
export const CALL_BEGINS = String.raw`calls"\s*:\s*\[\s*\{(?!${ONLY_MORE})|_call"\s*:\s*\{(?!${MORE})`;

type Piece = {
  readonly id: string | null;
  readonly name: string | null;
  /** null where the piece does not say. */
  readonly kind: string | null;
  readonly input: unknown;
};

type Known = { id: string | null; name: string | null; readonly call: PartialToolCall | null };

/** Takes one choice, of a chunk (`delta`) or of a whole answer (`message`). */
export function chatCalls(content: ResponseContent): (choice: JsonObject) => void {
  const places = new Map<string, Known>();

  const begin = ({ kind, id, name, input }: Piece): PartialToolCall | null => {
    const call = content.call(kind ?? "function", id, name);
    call?.input?.set(toInput(input));
    return call;
  };

  const follow = (piece: Piece, place: string, indexed: boolean): void => {
    const { id, name, kind, input } = piece;
    const known = places.get(place);
    if (known && !isAnother(piece, known, indexed)) {
      known.id ??= id;
      known.name ??= name;
      if (!known.call) return;
      known.call.id ??= id;
      known.call.name ??= name;
      known.call.input?.add(input);
      return;
    }
    const room = known !== undefined || places.size < MAX_PLACES;
    // A piece that names nothing, of a call that is not known, was seen to begin by nobody.
    if (name === null && (!room || (id === null && kind === null))) return;
    const call = begin(piece);
    if (room) places.set(place, { id, name, call });
  };

  return (choice) => {
    const delta = asObject(choice["delta"]);
    const said = delta ?? asObject(choice["message"]);
    if (!said) return;
    const at = typeof choice["index"] === "number" ? choice["index"] : 0;
    const list: unknown = said["tool_calls"];
    for (const value of Array.isArray(list) ? list : []) {
      const one = asObject(value);
      if (!one) continue;
      const index = typeof one["index"] === "number" ? one["index"] : null;
      if (delta) follow(readPiece(one), `${at} ${index}`, index !== null);
      else begin(readPiece(one));
    }
    const single = asObject(said["function_call"]);
    if (!single) return;
    if (delta) follow(readSingle(single), `${at}`, true);
    else begin(readSingle(single));
  };
}

/** Some servers give parallel calls one index, or none; and some of those give them no ids either. */
function isAnother({ id, name }: Piece, known: Known, indexed: boolean): boolean {
  if (id !== null && known.id !== null) return id !== known.id;
  if (name === null) return false;
  return !indexed || (id === null && known.id === null && known.name !== null && known.name !== name);
}

function readPiece(value: JsonObject): Piece {
  const custom = asObject(value["custom"]);
  const called = custom ?? asObject(value["function"]);
  return {
    id: callId(value["id"]),
    name: callName(called?.["name"]),
    kind: callName(value["type"]) ?? (custom ? "custom" : null),
    input: custom ? custom["input"] : called?.["arguments"],
  };
}

/** The deprecated `function_call`: one call, without an id. */
function readSingle(value: JsonObject): Piece {
  const name = callName(value["name"]);
  return { id: null, name, kind: name === null ? null : "function_call", input: value["arguments"] };
}
