/**
 * Ways to write an answer otherwise that change nothing of what it says: a stream is the same to every reader that
 * follows the standards. Each takes and gives text whose lines end in LF, but for the last ones.
 */
import { between } from "../../test/support/rechunk.ts";
import type { ApiName } from "../fixtures.ts";
import { chance, pick, several, type Random } from "../random.ts";
import { inAnotherOrder, oneLine, rebuilt, respelled, withStrangeMembers } from "./json.ts";
import { lookAlike } from "./look-alikes.ts";

export type Edit = (random: Random, text: string, api: ApiName) => string;

/** Some data lines, each as JSON, through `change`. What then has several lines becomes several data lines. */
const dataLines =
  (change: (random: Random, json: string) => string): Edit =>
  (random, text) => {
    const share = random();
    const lines = text.split("\n").map((line) => {
      if (!line.startsWith("data: {") || line.length > 20_000 || chance(random, share)) return line;
      return change(random, line.slice("data: ".length))
        .split("\n")
        .map((part) => `data: ${part}`)
        .join("\n");
    });
    return lines.join("\n");
  };

const COMMENTS = [
  ":",
  ": ping",
  ": OPENROUTER PROCESSING",
  ': data: {"choices":[],"usage":{"prompt_tokens":999}}',
  ":data: [DONE]",
  ": event: response.completed",
];
const FIELDS = [
  "id: 7",
  "id",
  "retry: 50",
  "foo: bar",
  "database: {}",
  "DATA: x",
  " data: x",
  "dataa",
  "usage: {}",
  "\uff44ata: x",
];

/** Lines that say nothing, anywhere: also between the data lines of one event. */
const insertLines =
  (make: (random: Random) => string): Edit =>
  (random, text) => {
    const lines = text.split("\n");
    for (let left = between(random, 1, 4); left > 0; left -= 1)
      lines.splice(between(random, 0, lines.length - 1), 0, make(random));
    return lines.join("\n");
  };

const insertComments = insertLines((random) => {
  const long = chance(random, 0.02) ? "x".repeat(between(random, 1000, 20_000)) : "";
  return pick(random, COMMENTS) + long;
});
const insertFields = insertLines((random) => pick(random, FIELDS));

/** Whole events, each between two others. */
const insertEvents: Edit = (random, text, api) => {
  const lines = text.split("\n");
  for (let left = between(random, 1, 3); left > 0; left -= 1) {
    const places = lines.flatMap((_, at) => (at === 0 || lines[at - 1] === "" ? at : []));
    const data = lookAlike(random, api).replaceAll(/\r\n|\r/g, "\n");
    const name = chance(random, 0.3) ? [`event: ${pick(random, ["ping", "message", "x", ""])}`] : [];
    const block = [...name, ...data.split("\n").map((line) => `data: ${line}`), ""];
    lines.splice(pick(random, places), 0, ...block);
  }
  return lines.join("\n");
};

/** Names for events; where one has a name, that follows and counts. */
const insertNames: Edit = (random, text) => {
  const lines = text.split("\n").flatMap((line, at, all) => {
    const first = line !== "" && (at === 0 || all[at - 1] === "");
    return first && chance(random, 0.3) ? ["event: fuzz", line] : [line];
  });
  return lines.join("\n");
};

/** With or without the blank behind the colon: a text that begins with a blank needs it. */
const unblanked: Edit = (random, text) => {
  const share = random();
  return text.replaceAll(/^(data|event): (?! )/gm, (whole, field: string) =>
    chance(random, share) ? whole : `${field}:`,
  );
};

const moreBlankLines: Edit = (random, text) =>
  text.replaceAll("\n\n", () => `\n\n${"\n".repeat(chance(random, 0.3) ? between(random, 1, 3) : 0)}`);

/** The stream ends with the last character of its last event. */
const withoutLastLineEnd: Edit = (random, text) =>
  text.replace(/\n+$/, (ends) => ends.slice(0, between(random, 0, ends.length)));

/** Each line ends in its own way. A CR that an LF followed would be one line end with it. */
const lineEnds: Edit = (random, text) => {
  const all = pick(random, [["\r"], ["\r\n"], ["\r", "\n", "\r\n"]]);
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  let before = "";
  const turned = lines.map((line) => {
    const end = pick(random, all);
    before = line === "" && before === "\r" && end === "\n" ? "\r\n" : end;
    if (line === "" && before === "\r\n" && end === "\n") return before;
    return line + end;
  });
  return turned.join("") + last;
};

const byteOrderMark: Edit = (_, text) => (text.startsWith("\ufeff") ? text : `\ufeff${text}`);

/** In the order in which they can follow each other. */
export const STREAM_EDITS: readonly (readonly [name: string, edit: Edit])[] = [
  ["key order", dataLines((random, json) => rebuilt(random, json, inAnotherOrder))],
  ["more members", dataLines((random, json) => rebuilt(random, json, withStrangeMembers))],
  ["white space, split data lines, other spellings", dataLines(respelled)],
  ["look-alike events", insertEvents],
  ["names", insertNames],
  ["comments", insertComments],
  ["other fields", insertFields],
  ["blanks behind colons", unblanked],
  ["blank lines", moreBlankLines],
  ["last line end", withoutLastLineEnd],
  ["line ends", lineEnds],
  ["byte order mark", byteOrderMark],
];

export const JSON_EDITS: readonly (readonly [name: string, edit: Edit])[] = [
  ["key order", (random, text) => rebuilt(random, text, inAnotherOrder)],
  ["more members", (random, text) => rebuilt(random, text, withStrangeMembers)],
  ["white space and other spellings", respelled],
  ["one line", (_, text) => oneLine(text)],
  [
    "white space around",
    (random, text) => several(random, 0, 3, () => pick(random, [" ", "\n", "\r\n", "\t"])).join("") + text,
  ],
  ["byte order mark", byteOrderMark],
];
