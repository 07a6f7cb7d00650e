/**
 * Parses a response body by its kind (an event stream, a JSON body, or neither) and passes the content to the dialect's
 * reader. The first bytes tell the kind, because servers label streams wrongly; only if they tell nothing, the declared
 * Content-Type does. It never throws and never changes a byte.
 */
import { parseJson, parseObject } from "../../shared/json.ts";
import type { SecretWatch } from "../../shared/secret-finder.ts";
import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { TEXT_BUDGET, type HeldText } from "./held-text.ts";
import type { BodyKind } from "../../shared/http/body-headers.ts";
import { sniffKind } from "./body-kind.ts";
import { createExcerpt, EXCERPT_CHARACTERS, type Excerpt } from "./excerpt.ts";
import { frameEvents } from "./sse.ts";

export type BodyParser = {
  /** The kind as far as it is known: the declared one until the first bytes have arrived. */
  readonly kind: () => BodyKind;
  /** The next bytes, in pieces of any size. Returns their text; null where it is not needed here. */
  readonly bytes: (batch: Uint8Array) => string | null;
  /** The complete body, in place of calls of `bytes`. */
  readonly body: (bytes: Uint8Array) => void;
  /** A JSON body was too large to be held, so only an excerpt of it is read. */
  readonly isTruncated: () => boolean;
  /** Call it after the last bytes. Returns the reader's report. */
  readonly finish: () => ResponseReport;
};

/** The bytes of a response that are held until they can be read. */
export type HeldBytes = {
  /** Of an event stream: the largest event. */
  readonly events: number;
  /** Of a JSON body: the largest body that is read. */
  readonly json: number;
};

const ignore = (): void => undefined;

/** A body that is not read: its bytes cannot be decoded here. */
export function unreadBody(reader: ResponseReader): BodyParser {
  return {
    kind: () => "opaque",
    bytes: () => null,
    body: ignore,
    isTruncated: () => false,
    finish: reader.report,
  };
}

/** `secrets`: examines the text of a body of any kind; null if there is nothing to find. */
export function createBodyParser(
  declared: BodyKind,
  read: ResponseReader,
  limits: HeldBytes,
  secrets: SecretWatch | null = null,
): BodyParser {
  const reader = secrets ? watchJoinedData(read, secrets) : read;
  let parser: TextParser | null = null;
  let kind = declared;
  /** The start of the body while it does not tell the kind, and its size in bytes. */
  let start = "";
  let startBytes = 0;
  let decoder: TextDecoder | null = null;

  const open = (known: BodyKind, text: string, bytes: number): TextParser => {
    kind = known;
    const opened = OPEN[known](reader, limits);
    opened.push(text, bytes);
    return opened;
  };
  const push = (text: string, bytes: number): void => {
    if (parser) return parser.push(text, bytes);
    start += text;
    startBytes += bytes;
    const sniffed = sniffKind(start);
    if (sniffed !== null) parser = open(sniffed === "unknown" ? declared : sniffed, start, startBytes);
  };

  return {
    kind: () => kind,
    bytes: (batch) => {
      if (kind === "opaque" && parser && !secrets) return null;
      const text = (decoder ??= new TextDecoder()).decode(batch, { stream: true });
      secrets?.push(text);
      push(text, batch.byteLength);
      return text;
    },
    body: (bytes) => {
      const text = DECODER.decode(bytes);
      secrets?.examine(text);
      push(text, 0);
    },
    isTruncated: () => parser?.isTruncated() ?? false,
    finish: () => {
      if (decoder) push(decoder.decode(), 0);
      parser ??= open(declared, start, startBytes);
      kind = parser.end() ?? kind;
      const report = reader.report();
      // A text that only begins like an event stream or like JSON, such as a transcript.
      if (declared === "opaque" && isEmpty(report)) kind = "opaque";
      return report;
    },
  };
}

/** An event's data in several lines: a key may be split between two of them. */
function watchJoinedData(reader: ResponseReader, secrets: SecretWatch): ResponseReader {
  return {
    ...reader,
    event: (data, name) => {
      if (data.includes("\n")) secrets.examine(data.replaceAll("\n", ""));
      reader.event(data, name);
    },
  };
}

const isEmpty = ({ id, model, usage, error, finishReason }: ResponseReport): boolean =>
  [id, model, usage, error, finishReason].every((fact) => fact === null);

/** Not fatal: bytes that are not UTF-8 spoil only the event that holds them. A byte order mark is skipped. */
const DECODER = new TextDecoder();

type TextParser = {
  /** `bytes`: those of the text; 0 if they do not have to be counted. */
  readonly push: (text: string, bytes: number) => void;
  /** Returns the kind, where the whole text tells another one. */
  readonly end: () => BodyKind | undefined;
  readonly isTruncated: () => boolean;
};

const OPEN: Readonly<Record<BodyKind, (reader: ResponseReader, limits: HeldBytes) => TextParser>> = {
  events: (reader, limits) => eventParser(reader, limits.events),
  json: (reader, limits) => jsonParser(reader, limits.json),
  opaque: () => ({ push: ignore, end: () => undefined, isTruncated: () => false }),
};

/** The part of an event that is held without being counted, so that the events of a usual stream cost nothing. */
const UNCOUNTED = 64 * 1024;

function eventParser({ event }: ResponseReader, maxBytes: number): TextParser {
  const max = Math.max(maxBytes, UNCOUNTED);
  const { push, end, size, drop } = frameEvents(event, max, (excerpt, name) => {
    const value = excerpt?.read();
    if (value) event(JSON.stringify(value), name);
    else if (name !== "") event("", name);
  });
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
      return undefined;
    },
    isTruncated: () => false,
  };
}

/** The lines of a stream of objects, one per line (NDJSON); none if the text is something else. */
function objectLines(text: string): readonly string[] {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return parseObject(lines[0] ?? "") === null ? [] : lines;
}

function jsonParser(reader: ResponseReader, maxBytes: number): TextParser {
  let text = "";
  let size = 0;
  let isTruncated = false;
  /** null until the body is too large, and once the isolate has no room for an excerpt. */
  let excerpt: Excerpt | null = null;
  const drop = (): void => {
    excerpt = isTruncated ? null : createExcerpt();
    excerpt?.add(text);
    text = "";
    isTruncated = true;
  };
  const held = TEXT_BUDGET.hold(maxBytes, drop);
  return {
    push: (piece, bytes) => {
      size += bytes;
      if (size > maxBytes && !isTruncated) drop();
      if (!isTruncated) text += piece;
      excerpt?.add(piece);
      held.set(isTruncated ? (excerpt ? EXCERPT_CHARACTERS : 0) : size);
    },
    end: () => {
      // A body that is not JSON adds nothing to the report, which then states that no end was seen.
      const value = isTruncated ? (excerpt?.read() ?? undefined) : parseJson(text);
      const lines = value === undefined ? objectLines(text) : [];
      if (value !== undefined) reader.body(value);
      for (const line of lines) reader.event(line, "");
      text = "";
      excerpt = null;
      held.set(0);
      return lines.length > 0 ? "events" : undefined;
    },
    isTruncated: () => isTruncated,
  };
}
