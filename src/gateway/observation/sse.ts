/**
 * Framing of event streams, by the HTML standard §9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * Takes decoded text in pieces of any size and calls back with each event's data and name. Lines end in LF, CR or CRLF,
 * in any mixture.
 *
 * Two departures from the standard:
 * - An event that lacks its blank line at the end of the stream is dispatched.
 * - An event is dropped if its data and current line exceed `maxEvent` characters, so that an upstream cannot exhaust
 *   memory. If it has a name by then, it is dispatched with that name and without data.
 */

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

export function frameEvents(onEvent: OnEvent, maxEvent = 2 * 1024 * 1024): Framer {
  const event = createEventBuilder(onEvent);
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
  /** The line has exceeded `maxEvent`: the rest of it is skipped. */
  let skipping = false;

  const drop = (): void => {
    if (pieces.length > 0) skipping = true;
    pieces = [];
    size = 0;
    event.drop();
  };

  // The size is checked per line, so that the result does not depend on how the stream was cut.
  const finish = (rest: string): void => {
    if (skipping || event.size() + size + rest.length > maxEvent) {
      drop();
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
    if (piece === "" || skipping) return;
    pieces.push(piece);
    size += piece.length;
    if (event.size() + size > maxEvent) drop();
  };

  return { append, finish, isOpen: () => pieces.length > 0 || skipping, size: () => size, drop };
}

type EventBuilder = {
  readonly addLine: (line: string) => void;
  /** Discards the current event's data and every further line of it, and keeps the name that it has. */
  readonly drop: () => void;
  /** The current event is complete. */
  readonly dispatch: () => void;
  /** Characters of data in the current event, line ends included. */
  readonly size: () => number;
};

function createEventBuilder(onEvent: OnEvent): EventBuilder {
  let data: string | null = null;
  let name = "";
  let size = 0;
  let dropped = false;

  const dispatch = (): void => {
    if (dropped) {
      if (name !== "") onEvent("", name);
    } else if (data !== null) onEvent(data, name);
    data = null;
    name = "";
    size = 0;
    dropped = false;
  };

  const drop = (): void => {
    dropped = true;
    data = null;
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
    }
  };

  return { addLine, drop, dispatch, size: () => size };
}

function indexOfLineEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) return at;
  }
  return -1;
}
