/**
 * Edits that change the form of a response and keep its content, so a parser that follows the standards reads the same.
 * Each edit takes and returns text with LF line ends, except the last ones in the list.
 */
import { between } from "../../test/support/rechunk.ts";
import type { ApiName } from "../fixtures.ts";
import { chance, pick, several, type Random } from "../random.ts";
import { addUnknownMembers, oneLine, rebuild, reorderMembers, respell } from "./json.ts";
import { lookAlike } from "./look-alikes.ts";

export type Edit = (random: Random, text: string, api: ApiName) => string;

/** Changes the JSON of some data lines. Several lines of JSON become several data lines. */
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

/** Inserts lines without effect at random positions, including between the data lines of one event. */
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

/** Inserts complete events between others. */
const insertEvents: Edit = (random, text, api) => {
  const lines = text.split("\n");
  for (let left = between(random, 1, 3); left > 0; left -= 1) {
    const positions = lines.flatMap((_, at) => (at === 0 || lines[at - 1] === "" ? at : []));
    const data = lookAlike(random, api).replaceAll(/\r\n|\r/g, "\n");
    const name = chance(random, 0.3) ? [`event: ${pick(random, ["ping", "message", "x", ""])}`] : [];
    const block = [...name, ...data.split("\n").map((line) => `data: ${line}`), ""];
    lines.splice(pick(random, positions), 0, ...block);
  }
  return lines.join("\n");
};

/** Names some events. Where an event has a name, its own line follows and takes precedence. */
const insertNames: Edit = (random, text) => {
  const lines = text.split("\n").flatMap((line, at, all) => {
    const first = line !== "" && (at === 0 || all[at - 1] === "");
    return first && chance(random, 0.3) ? ["event: fuzz", line] : [line];
  });
  return lines.join("\n");
};

/** Removes the space after some colons. A value that starts with a space keeps it. */
const removeColonSpaces: Edit = (random, text) => {
  const share = random();
  return text.replaceAll(/^(data|event): (?! )/gm, (matched, field: string) =>
    chance(random, share) ? matched : `${field}:`,
  );
};

const addBlankLines: Edit = (random, text) =>
  text.replaceAll("\n\n", () => `\n\n${"\n".repeat(chance(random, 0.3) ? between(random, 1, 3) : 0)}`);

/** Removes some or all line ends at the end of the stream. */
const removeLastLineEnds: Edit = (random, text) =>
  text.replace(/\n+$/, (ends) => ends.slice(0, between(random, 0, ends.length)));

/** Gives each line its own line end. A CR before an LF would be one CRLF with it. */
const changeLineEnds: Edit = (random, text) => {
  const choices = pick(random, [["\r"], ["\r\n"], ["\r", "\n", "\r\n"]]);
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  let before = "";
  const changed = lines.map((line) => {
    const end = pick(random, choices);
    before = line === "" && before === "\r" && end === "\n" ? "\r\n" : end;
    if (line === "" && before === "\r\n" && end === "\n") return before;
    return line + end;
  });
  return changed.join("") + last;
};

const addByteOrderMark: Edit = (_, text) => (text.startsWith("\ufeff") ? text : `\ufeff${text}`);

/** The order matters: an edit relies on the line ends that the edits before it keep. */
export const STREAM_EDITS: readonly (readonly [name: string, edit: Edit])[] = [
  ["key order", dataLines((random, json) => rebuild(random, json, reorderMembers))],
  ["more members", dataLines((random, json) => rebuild(random, json, addUnknownMembers))],
  ["white space, split data lines, other spellings", dataLines(respell)],
  ["look-alike events", insertEvents],
  ["names", insertNames],
  ["comments", insertComments],
  ["other fields", insertFields],
  ["spaces after colons", removeColonSpaces],
  ["blank lines", addBlankLines],
  ["last line end", removeLastLineEnds],
  ["line ends", changeLineEnds],
  ["byte order mark", addByteOrderMark],
];

export const JSON_EDITS: readonly (readonly [name: string, edit: Edit])[] = [
  ["key order", (random, text) => rebuild(random, text, reorderMembers)],
  ["more members", (random, text) => rebuild(random, text, addUnknownMembers)],
  ["white space and other spellings", respell],
  ["one line", (_, text) => oneLine(text)],
  [
    "white space around",
    (random, text) => several(random, 0, 3, () => pick(random, [" ", "\n", "\r\n", "\t"])).join("") + text,
  ],
  ["byte order mark", addByteOrderMark],
];
