/**
 * Tool calls of Chat Completions. A stream sends a call in pieces, and several calls side by side. The index of the
 * choice and the index of the call identify a call; its first piece has the name. Each call is added to the response's
 * content once.
 */
import { callId, callName, type ResponseContent, type PartialToolCall } from "../response-content.ts";
import { toInput } from "../bounded-text.ts";
import { hasJsonText, JsonEnd } from "../json-end.ts";
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
  /** Where the arguments end; null if ids and indices suffice to tell calls apart. */
  readonly arguments: JsonEnd | null;
  /** The name was repeated after the end of the arguments: a repetition, or the start of a call with the same name. */
  namedAgain: boolean;
};

/** Where a piece was in the stream. */
type PiecePosition = {
  /** Of the choice and the call. */
  readonly key: string;
  readonly indexed: boolean;
  /** Whether an earlier entry of the same list has the same key. Two entries of one list are two calls. */
  readonly isSecond: boolean;
};

export type ToolCallReader = {
  /** Reads the tool calls of one choice, of a chunk (`delta`) or a whole response (`message`). */
  readonly read: (choice: JsonObject) => void;
  /** Whether a chunk that matches `CALL_PIECE` only must be read, too: the end of its arguments tells calls apart. */
  readonly mayEnd: (data: string) => boolean;
};

const PIECE = new RegExp(CALL_PIECE);

export function createToolCallReader(content: ResponseContent): ToolCallReader {
  const tracked = new Map<string, TrackedCall>();
  let needsArguments = false;

  const start = ({ kind, id, name, input }: Piece): PartialToolCall | null => {
    const call = content.call(kind ?? "function", id, name);
    call?.input?.set(toInput(input));
    return call;
  };

  const track = (piece: Piece, name: string | null, { key, indexed }: PiecePosition): void => {
    const call = start({ ...piece, name });
    if (!tracked.has(key) && tracked.size >= MAX_TRACKED) return;
    const tells =
      piece.kind !== "custom" && piece.kind !== "function_call" && (piece.id === null || !indexed);
    const ends = tells ? new JsonEnd() : null;
    ends?.add(piece.input);
    needsArguments ||= tells;
    tracked.set(key, { id: piece.id, name, call, arguments: ends, namedAgain: false });
  };

  const startOrContinue = (piece: Piece, place: PiecePosition): void => {
    const { id, name, kind } = piece;
    const known = tracked.get(place.key);
    if (known && !isAnother(piece, known, place)) return continueCall(known, piece);
    const hasRoom = known !== undefined || tracked.size < MAX_TRACKED;
    // A piece of an untracked call without id, type or name continues a call whose start was not read.
    if (name === null && !known?.namedAgain && (!hasRoom || (id === null && kind === null))) return;
    track(piece, name ?? (known?.namedAgain ? known.name : null), place);
  };

  return {
    read(choice) {
      const delta = asObject(choice["delta"]);
      const message = delta ?? asObject(choice["message"]);
      if (!message) return;
      const choiceIndex = typeof choice["index"] === "number" ? choice["index"] : 0;
      const keys = new Set<string>();
      const list: unknown = message["tool_calls"];
      for (const entry of Array.isArray(list) ? list : []) {
        const value = asObject(entry);
        if (!value) continue;
        const index = typeof value["index"] === "number" ? value["index"] : null;
        const key = `${choiceIndex} ${index}`;
        if (delta) {
          startOrContinue(readPiece(value), { key, indexed: index !== null, isSecond: keys.has(key) });
        } else start(readPiece(value));
        keys.add(key);
      }
      const single = asObject(message["function_call"]);
      if (!single) return;
      if (delta)
        startOrContinue(readSingle(single), { key: `${choiceIndex}`, indexed: true, isSecond: false });
      else start(readSingle(single));
    },
    mayEnd: (data) => needsArguments && PIECE.test(data),
  };
}

function continueCall(known: TrackedCall, { id, name, input }: Piece): void {
  if (name !== null && known.arguments?.state === "complete") known.namedAgain = true;
  known.id ??= id;
  known.name ??= name;
  known.arguments?.add(input);
  if (!known.call) return;
  known.call.id ??= id;
  known.call.name ??= name;
  known.call.input?.add(input);
}

/**
 * Whether the piece starts another call than the one tracked under its key. Some servers give parallel calls the same
 * index or no index, and some of these omit the ids as well. Others repeat the name in every piece. Then the end of the
 * arguments' JSON decides: what follows a complete object belongs to another call.
 */
function isAnother(
  { id, name, input }: Piece,
  known: TrackedCall,
  { indexed, isSecond }: PiecePosition,
): boolean {
  if (id !== null && known.id !== null) return id !== known.id;
  if (name !== null && known.name !== null && name !== known.name) return true;
  const state = known.arguments?.state;
  const hasText = hasJsonText(input);
  if (state === "complete" && hasText && (name !== null || id !== null || known.namedAgain)) return true;
  if (name === null || known.name === null) return false;
  if (isSecond) return true;
  // Of pieces without an index, one that repeats the name goes on with arguments that have not ended.
  const continues = state === "open" || state === "complete" || (state === "empty" && hasText);
  return !indexed && !continues;
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
