/**
 * Parses a response body by its kind (an event stream, a JSON body, or neither) and passes the content to the dialect's
 * reader. It never throws and never changes a byte.
 */
import { parseJson } from "../../shared/json.ts";
import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { frameEvents } from "./sse.ts";

export type BodyKind = "events" | "json" | "opaque";

export type BodyParser = {
  readonly kind: BodyKind;
  /** The next bytes, in pieces of any size. */
  readonly bytes: (batch: Uint8Array) => void;
  /** The complete body, in place of calls of `bytes`. */
  readonly body: (bytes: Uint8Array) => void;
  /** Call it after the last bytes. Returns the reader's report. */
  readonly finish: () => ResponseReport;
};

export function bodyKind(headers: Headers): BodyKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

const ignore = (): void => undefined;

export function createBodyParser(kind: BodyKind, reader: ResponseReader): BodyParser {
  if (kind === "opaque") return { kind, bytes: ignore, body: ignore, finish: reader.report };
  const parser = kind === "json" ? jsonParser(reader) : eventParser(reader);
  let decoder: TextDecoder | null = null;
  return {
    kind,
    bytes: (batch) => parser.push((decoder ??= new TextDecoder()).decode(batch, { stream: true })),
    body: (bytes) => parser.push(DECODER.decode(bytes)),
    finish: () => {
      if (decoder) parser.push(decoder.decode());
      parser.end();
      return reader.report();
    },
  };
}

/** Not fatal: bytes that are not UTF-8 spoil only the event that holds them. A byte order mark is skipped. */
const DECODER = new TextDecoder();

type TextParser = { readonly push: (text: string) => void; readonly end: () => void };

function eventParser({ event }: ResponseReader): TextParser {
  return frameEvents(event);
}

function jsonParser(reader: ResponseReader): TextParser {
  let buffer = "";
  return {
    push: (text) => void (buffer += text),
    end: () => {
      // A body that is not JSON adds nothing to the report, which then states that no end was seen.
      const value = parseJson(buffer);
      if (value !== undefined) reader.body(value);
      buffer = "";
    },
  };
}
