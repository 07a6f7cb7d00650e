/**
 * Framing of event streams, by the HTML standard §9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * Takes decoded text in pieces of any size and calls back with each event's data and name. Lines end in LF, CR or CRLF,
 * in any mixture.
 *
 * Three departures from the standard:
 * - An event that lacks its blank line at the end of the stream is dispatched.
 * - A line that is an object without a field name, or after `error:`, is dispatched if its event has no data.
 * - An event is dropped if its data and current line exceed `maxEvent` characters, so that an upstream cannot exhaust
 *   memory. Its name, where it has one by then, and an excerpt of the line are dispatched.
 */
import { createExcerpt, type Excerpt } from "./excerpt.ts";

export type Framer = {
  readonly push: (text: string) => void;
  /** The stream has ended. */
  readonly end: () => void;
  /** Characters of the current event that are held. */
  readonly size: () => number;
  /** Drops the current event as if it were too large. */
  readonly drop: () => void;
};

type OnEvent = (data: string, name: string) => void;
/** `excerpt`: null if no data line made the event too large. */
type OnLargeEvent = (excerpt: Excerpt | null, name: string) => void;

/** By default, an event that is too large is dispatched with its name and without data. */
export function frameEvents(
  onEvent: OnEvent,
  maxEvent = 2 * 1024 * 1024,
  onLargeEvent: OnLargeEvent = (_, name) => name !== "" && onEvent("", name),
): Framer {
  const event = createEventBuilder(onEvent, onLargeEvent);
  const line = createLineBuffer(event, maxEvent);
  /** The last piece ended in CR: an LF at the start of the next one belongs to it. */
  let afterCr = false;

  const push = (text: string): void => {
    if (text === "") return;
    let at = afterCr && text.startsWith("\n") ? 1 : 0;
    afterCr = false;
    const hasCr = text.includes("\r");
    for (;;) {
      const end = hasCr ? indexOfLineEnd(text, at) : text.indexOf("\n", at);
      if (end < 0) return line.append(text.slice(at));
      line.finish(text.slice(at, end));
      at = end + 1;
      if (text[end] !== "\r") continue;
      if (at === text.length) afterCr = true;
      else if (text[at] === "\n") at += 1;
    }
  };

  const end = (): void => {
    if (line.isOpen()) line.finish("");
    event.dispatch();
  };

  return { push, end, size: () => event.size() + line.size(), drop: line.drop };
}

type LineBuffer = {
  /** A piece of a line whose end has not arrived. */
  readonly append: (piece: string) => void;
  /** The rest of the line. */
  readonly finish: (rest: string) => void;
  readonly isOpen: () => boolean;
  /** Characters of the current line. */
  readonly size: () => number;
  /** Drops the current event, and the rest of an open line. */
  readonly drop: () => void;
};

function createLineBuffer(event: EventBuilder, maxEvent: number): LineBuffer {
  /** Joined only when the line ends, so that a long line in many pieces takes linear time. */
  let pieces: string[] = [];
  /** Characters in `pieces`. */
  let size = 0;
  /** The line has exceeded `maxEvent`: only an excerpt of it is kept. */
  let skipping = false;

  const drop = (): void => {
    event.drop();
    if (pieces.length > 0) {
      skipping = true;
      event.skip(pieces.join(""));
    }
    pieces = [];
    size = 0;
  };

  // The size is checked per line, so that the result does not depend on how the stream was cut.
  const finish = (rest: string): void => {
    if (skipping || event.size() + size + rest.length > maxEvent) {
      drop();
      event.skip(rest);
      event.endSkipped();
      skipping = false;
      return;
    }
    if (pieces.length === 0) return event.addLine(rest);
    pieces.push(rest);
    const line = pieces.join("");
    pieces = [];
    size = 0;
    event.addLine(line);
  };

  const append = (piece: string): void => {
    if (piece === "") return;
    if (skipping) return event.skip(piece);
    pieces.push(piece);
    size += piece.length;
    if (event.size() + size > maxEvent) drop();
  };

  return { append, finish, isOpen: () => pieces.length > 0 || skipping, size: () => size, drop };
}

const UNFRAMED = /^(?:error: ?)?\{/;

type EventBuilder = {
  readonly addLine: (line: string) => void;
  /** Discards the current event's data and every further line of it, and keeps the name that it has. */
  readonly drop: () => void;
  /** A piece of a line of a dropped event. */
  readonly skip: (piece: string) => void;
  /** That line is complete. */
  readonly endSkipped: () => void;
  /** The current event is complete. */
  readonly dispatch: () => void;
  /** Characters of data in the current event, line ends included. */
  readonly size: () => number;
};

function createEventBuilder(onEvent: OnEvent, onLargeEvent: OnLargeEvent): EventBuilder {
  let data: string | null = null;
  /** An object that no field name precedes, or that follows `error:`: so some servers send an error. */
  let unframed: string | null = null;
  const large = createLargeLine();
  let name = "";
  let size = 0;
  let dropped = false;

  const dispatch = (): void => {
    if (dropped) onLargeEvent(large.take(), name);
    else if (data !== null) onEvent(data, name);
    else if (unframed !== null) onEvent(unframed, name);
    data = null;
    unframed = null;
    name = "";
    size = 0;
    dropped = false;
  };

  const drop = (): void => {
    dropped = true;
    data = null;
    unframed = null;
    size = 0;
  };

  const addLine = (line: string): void => {
    if (line === "") return dispatch();
    if (dropped) return;
    // A field name without a colon is the field with an empty value.
    if (line.startsWith("data:") || line === "data") {
      const value = line.slice(line[5] === " " ? 6 : 5);
      data = data === null ? value : `${data}\n${value}`;
      size += value.length + 1;
    } else if (line.startsWith("event:") || line === "event") {
      name = line.slice(line[6] === " " ? 7 : 6);
    } else if (unframed === null && UNFRAMED.test(line)) {
      unframed = line.slice(line.indexOf("{"));
      size += unframed.length;
      if (!line.startsWith("{")) name = "error";
    }
  };

  return { addLine, drop, skip: large.add, endSkipped: large.end, dispatch, size: () => size };
}

/** An excerpt of the line that makes an event too large. */
function createLargeLine() {
  let excerpt: Excerpt | null = null;
  /** The excerpt is of the current line. */
  let isOpen = false;
  let isLineStart = true;
  const add = (piece: string): void => {
    const start = isLineStart ? /^data: ?/.exec(piece) : null;
    isLineStart = false;
    if (isOpen) return excerpt?.add(piece);
    // Of several data lines, the first that is too large: an excerpt of two would be no JSON text.
    if (!start || excerpt) return;
    excerpt = createExcerpt();
    isOpen = true;
    excerpt.add(piece.slice(start[0].length));
  };
  const end = (): void => {
    isOpen = false;
    isLineStart = true;
  };
  /** The excerpt, once the event has ended; null where there is none. */
  const take = (): Excerpt | null => {
    const taken = excerpt;
    excerpt = null;
    end();
    return taken;
  };
  return { add, end, take };
}

function indexOfLineEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) return at;
  }
  return -1;
}
