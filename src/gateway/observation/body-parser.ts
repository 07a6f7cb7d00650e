/**
 * Parses a response body by its kind (an event stream, a JSON body, or neither) and passes the content to the dialect's
 * reader. It never throws and never changes a byte.
 */
import { parseJson } from "../../shared/json.ts";
import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { TEXT_BUDGET, type HeldText } from "./held-text.ts";
import { frameEvents } from "./sse.ts";

export type BodyKind = "events" | "json" | "opaque";

export type BodyParser = {
  readonly kind: BodyKind;
  /** The next bytes, in pieces of any size. */
  readonly bytes: (batch: Uint8Array) => void;
  /** The complete body, in place of calls of `bytes`. */
  readonly body: (bytes: Uint8Array) => void;
  /** A JSON body was too large to be held to its end, so it is not read. */
  readonly isTruncated: () => boolean;
  /** Call it after the last bytes. Returns the reader's report. */
  readonly finish: () => ResponseReport;
};

export function bodyKind(headers: Headers): BodyKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

/** The bytes of a response that are held until they can be read. */
export type HeldBytes = {
  /** Of an event stream: the largest event. */
  readonly events: number;
  /** Of a JSON body: the largest body that is read. */
  readonly json: number;
};

const ignore = (): void => undefined;

export function createBodyParser(kind: BodyKind, reader: ResponseReader, limits: HeldBytes): BodyParser {
  if (kind === "opaque")
    return { kind, bytes: ignore, body: ignore, isTruncated: () => false, finish: reader.report };
  const parser = kind === "json" ? jsonParser(reader, limits.json) : eventParser(reader, limits.events);
  let decoder: TextDecoder | null = null;
  return {
    kind,
    bytes: (batch) => {
      if (!parser.isTruncated())
        parser.push((decoder ??= new TextDecoder()).decode(batch, { stream: true }), batch.byteLength);
    },
    body: (bytes) => parser.push(DECODER.decode(bytes), 0),
    isTruncated: parser.isTruncated,
    finish: () => {
      if (decoder) parser.push(decoder.decode(), 0);
      parser.end();
      return reader.report();
    },
  };
}

/** Not fatal: bytes that are not UTF-8 spoil only the event that holds them. A byte order mark is skipped. */
const DECODER = new TextDecoder();

type TextParser = {
  /** `bytes`: those of the text; 0 if they do not have to be counted. */
  readonly push: (text: string, bytes: number) => void;
  readonly end: () => void;
  readonly isTruncated: () => boolean;
};

/** The part of an event that is held without being counted, so that the events of a usual stream cost nothing. */
const UNCOUNTED = 64 * 1024;

function eventParser({ event }: ResponseReader, maxBytes: number): TextParser {
  const max = Math.max(maxBytes, UNCOUNTED);
  const { push, end, size, drop } = frameEvents(event, max);
  let held: HeldText | null = null;
  return {
    push: (text) => {
      push(text);
      const counted = size() > UNCOUNTED ? size() : 0;
      if (counted > 0) held ??= TEXT_BUDGET.hold(max, drop);
      held?.set(counted);
    },
    end: () => {
      end();
      held?.set(0);
    },
    isTruncated: () => false,
  };
}

function jsonParser(reader: ResponseReader, maxBytes: number): TextParser {
  let text = "";
  let size = 0;
  let isTruncated = false;
  const drop = (): void => {
    text = "";
    isTruncated = true;
  };
  const held = TEXT_BUDGET.hold(maxBytes, drop);
  return {
    push: (piece, bytes) => {
      size += bytes;
      if (size > maxBytes) drop();
      else text += piece;
      held.set(isTruncated ? 0 : size);
    },
    end: () => {
      // A body that is not JSON adds nothing to the report, which then states that no end was seen.
      const value = parseJson(text);
      if (value !== undefined) reader.body(value);
      text = "";
      held.set(0);
    },
    isTruncated: () => isTruncated,
  };
}
