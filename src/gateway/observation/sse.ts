/**
 * Framing of event streams, by the HTML standard §9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * Receives decoded text in any pieces, hands on each event's data and name. Lines end in LF, CR or CRLF, mixed at will.
 *
 * Two departures: an event that the stream's end cuts short of its blank line is handed on, and of an event whose data
 * and the line at hand are over `maxEvent` characters only the name that came before is handed on, with no data: what an
 * upstream sends must not decide our memory.
 */

export type Framer = {
  readonly push: (text: string) => void;
  /** The stream has ended. */
  readonly end: () => void;
};

export function frameEvents(
  onEvent: (data: string, name: string) => void,
  maxEvent = 2 * 1024 * 1024,
): Framer {
  /** The pieces of a line whose end has not come yet; joined only then, so that a long line costs no more than its length. */
  let pieces: string[] = [];
  /** Characters held in `pieces` and `data`. */
  let held = 0;
  /** The line, or the event with it, has outgrown `maxEvent`: pass over what is left of it. */
  let skipLine = false;
  let skipEvent = false;
  /** The last piece ended in CR: an LF that comes next belongs to it. */
  let afterCr = false;
  let data: string | null = null;
  let name = "";

  const dispatch = (): void => {
    if (skipEvent) {
      if (name !== "") onEvent("", name);
    } else if (data !== null) onEvent(data, name);
    data = null;
    name = "";
    held = 0;
    skipEvent = false;
  };

  /** Nothing more is kept of the event at hand but the name that it has. */
  const giveUp = (): void => {
    skipEvent = true;
    pieces = [];
    data = null;
    held = 0;
  };

  const takeLine = (line: string): void => {
    if (line === "") return dispatch();
    if (skipEvent) return;
    // A field's name alone is the field with an empty value.
    if (line.startsWith("data:") || line === "data") {
      const value = line.slice(line[5] === " " ? 6 : 5);
      data = data === null ? value : `${data}\n${value}`;
      held += value.length + 1;
    } else if (line.startsWith("event:") || line === "event") {
      name = line.slice(line[6] === " " ? 7 : 6);
    }
  };

  // What is too large is told by whole lines, so that it does not depend on how the stream was cut.
  const finishLine = (rest: string): void => {
    if (skipLine || held + rest.length > maxEvent) {
      skipLine = false;
      return giveUp();
    }
    if (pieces.length === 0) return takeLine(rest);
    pieces.push(rest);
    const line = pieces.join("");
    pieces = [];
    held -= line.length - rest.length;
    takeLine(line);
  };

  const keep = (piece: string): void => {
    if (piece === "" || skipLine) return;
    pieces.push(piece);
    held += piece.length;
    if (held <= maxEvent) return;
    skipLine = true;
    giveUp();
  };

  const push = (text: string): void => {
    if (text === "") return;
    let at = afterCr && text.startsWith("\n") ? 1 : 0;
    afterCr = false;
    const anyCr = text.includes("\r");
    for (;;) {
      const end = anyCr ? indexOfLineEnd(text, at) : text.indexOf("\n", at);
      if (end < 0) return keep(text.slice(at));
      finishLine(text.slice(at, end));
      at = end + 1;
      if (text[end] !== "\r") continue;
      if (at === text.length) afterCr = true;
      else if (text[at] === "\n") at += 1;
    }
  };

  const end = (): void => {
    if (pieces.length > 0 || skipLine) finishLine("");
    dispatch();
  };

  return { push, end };
}

function indexOfLineEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) return at;
  }
  return -1;
}
