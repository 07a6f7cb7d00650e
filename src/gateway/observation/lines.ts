/** Reads a body of one JSON value per line, in pieces of any size. */
import { parseObject, type JsonObject } from "../../shared/json.ts";

export type LineReader = {
  readonly push: (bytes: Uint8Array) => void;
  readonly end: () => void;
};

/** A line longer than `maxLine` characters is not read. Calls `onLine` with each line that is a JSON object. */
export function readLines(onLine: (value: JsonObject) => void, maxLine: number): LineReader {
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let size = 0;
  const add = (piece: string): void => {
    size += piece.length;
    if (size <= maxLine) pieces.push(piece);
    else pieces = [];
  };
  const finish = (): void => {
    const value = parseObject(pieces.join(""));
    pieces = [];
    size = 0;
    if (value) onLine(value);
  };
  const push = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      add(text.slice(from, at));
      finish();
      from = at + 1;
    }
    if (from < text.length) add(text.slice(from));
  };
  return {
    push: (bytes) => push(decoder.decode(bytes, { stream: true })),
    end: () => {
      push(decoder.decode());
      finish();
    },
  };
}
