/**
 * Reads an answer's bytes by what they are: an event stream, a JSON body, or neither. Receives batches, tells the
 * dialect's reader what they say; never throws, never changes a byte.
 */
import type { AnswerReader, AnswerReport } from "../provider/response-reader.ts";
import { frameEvents } from "./sse.ts";

export type AnswerKind = "events" | "json" | "opaque";

export type Answer = {
  readonly kind: AnswerKind;
  readonly bytes: (batch: Uint8Array) => void;
  /** In place of batches: all of it. */
  readonly whole: (body: Uint8Array) => void;
  /** After the last batch; what the answer told. */
  readonly finish: () => AnswerReport;
};

export function answerKind(headers: Headers): AnswerKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

const nothing = (): void => undefined;

export function readAnswer(kind: AnswerKind, reader: AnswerReader): Answer {
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

function eventText({ event }: AnswerReader): TextReader {
  const { push, end } = frameEvents(event);
  return { text: push, end };
}

function jsonText(reader: AnswerReader): TextReader {
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
function readJson(text: string, reader: AnswerReader): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  reader.body(value);
}
