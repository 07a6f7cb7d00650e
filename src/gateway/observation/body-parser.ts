/**
 * Reads an answer's bytes by what they are: an event stream, a JSON body, or neither. Receives batches, tells the
 * dialect's reader what they say; never throws, never changes a byte.
 */
import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { frameEvents } from "./sse.ts";

export type BodyKind = "events" | "json" | "opaque";

export type BodyParser = {
  readonly kind: BodyKind;
  readonly bytes: (batch: Uint8Array) => void;
  /** In place of batches: all of it. */
  readonly whole: (body: Uint8Array) => void;
  /** After the last batch; what the answer told. */
  readonly finish: () => ResponseReport;
};

export function bodyKind(headers: Headers): BodyKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

const nothing = (): void => undefined;

export function createBodyParser(kind: BodyKind, reader: ResponseReader): BodyParser {
  if (kind === "opaque") return { kind, bytes: nothing, whole: nothing, finish: reader.report };
  const read = kind === "json" ? jsonText(reader) : eventText(reader);
  let decoder: TextDecoder | null = null;
  return {
    kind,
    bytes: (batch) => read.text((decoder ??= new TextDecoder()).decode(batch, { stream: true })),
    whole: (body) => read.text(DECODER.decode(body)),
    finish: () => {
      if (decoder) read.text(decoder.decode());
      read.end();
      return reader.report();
    },
  };
}

/** Not fatal: what is not UTF-8 costs the event it stands in, no more. A byte order mark is passed over. */
const DECODER = new TextDecoder();

type TextReader = { readonly text: (text: string) => void; readonly end: () => void };

function eventText({ event }: ResponseReader): TextReader {
  const { push, end } = frameEvents(event);
  return { text: push, end };
}

function jsonText(reader: ResponseReader): TextReader {
  let all = "";
  return {
    text: (text) => void (all += text),
    end: () => {
      readJson(all, reader);
      all = "";
    },
  };
}

/** A body that is no JSON tells nothing; the reader's report then says that no end was seen. */
function readJson(text: string, reader: ResponseReader): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  reader.body(value);
}
