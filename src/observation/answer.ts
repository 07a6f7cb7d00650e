/**
 * Reads an answer's bytes by what they are: an event stream, a JSON body, or neither. Receives batches, tells the
 * dialect's reader what they say; never throws, never changes a byte.
 */
import type { AnswerReader, AnswerReport } from "../provider/answer.ts";
import { frameEvents } from "./sse.ts";

export type AnswerKind = "events" | "json" | "opaque";

export type Answer = {
  readonly kind: AnswerKind;
  readonly bytes: (batch: Uint8Array) => void;
  /** After the last batch; what the answer told. */
  readonly finish: () => AnswerReport;
};

export function answerKind(headers: Headers): AnswerKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

export function readAnswer(kind: AnswerKind, reader: AnswerReader): Answer {
  if (kind === "opaque") return { kind, bytes: () => undefined, finish: reader.report };
  // Not fatal: what is not UTF-8 costs the event it stands in, no more. A byte order mark is passed over.
  const decoder = new TextDecoder();
  if (kind === "json") {
    const parts: string[] = [];
    return {
      kind,
      bytes: (batch) => void parts.push(decoder.decode(batch, { stream: true })),
      finish: () => {
        readJson(parts.join("") + decoder.decode(), reader);
        parts.length = 0;
        return reader.report();
      },
    };
  }
  const framer = frameEvents(reader.event);
  return {
    kind,
    bytes: (batch) => framer.push(decoder.decode(batch, { stream: true })),
    finish: () => {
      framer.push(decoder.decode());
      framer.end();
      return reader.report();
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
