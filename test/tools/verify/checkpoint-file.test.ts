import { describe, expect, it } from "vitest";
import { formatCheckpoint } from "../../../src/records/ledger/seal/checkpoint.ts";
import { createSigner, newPrivateKey } from "../../../src/records/ledger/seal/note-keys.ts";
import { signNote } from "../../../src/records/ledger/seal/note.ts";
import { toOperatorLine } from "../../../src/shared/operator-log.ts";
import { readCheckpoints } from "../../../tools/verify/checkpoint-file.ts";

const ORIGIN = "ai.example.com/records";
const signers = await Promise.all(
  [1, 2].map(async (n) => createSigner(await newPrivateKey(ORIGIN, new Uint8Array(32).fill(n)))),
);
const noteOf = (size: number): Promise<string> =>
  signNote(formatCheckpoint({ origin: ORIGIN, size, root: new Uint8Array(32).fill(size) }), signers);
const [FIRST, SECOND] = [await noteOf(1), await noteOf(2)];

const lineOf = (checkpoint: string): string =>
  toOperatorLine({ event: "ledger_sealed", tree_size: 1, events: 1, checkpoint });
const tailOf = (...message: readonly string[]): string =>
  JSON.stringify({ outcome: "ok", logs: [{ message, level: "log" }] }, null, 4);
const logpush = (line: string): string => JSON.stringify({ Logs: [{ Level: "log", Message: [line] }] });

describe("checkpoints are read from", () => {
  it.each([
    ["one note", FIRST, [FIRST]],
    ["a note without its last line feed", FIRST.trimEnd(), [FIRST]],
    [
      "several notes, with and without lines between",
      `${FIRST}${SECOND}\n\n${FIRST}\n`,
      [FIRST, SECOND, FIRST],
    ],
    ["the Worker's lines", ["ready", lineOf(FIRST), "{}", lineOf(SECOND)].join("\n"), [FIRST, SECOND]],
    ["lines behind a time", `2026-11-29T00:00:00Z ${lineOf(FIRST)}`, [FIRST]],
    ["wrangler tail", `${tailOf("hello", lineOf(FIRST))}\n${tailOf(lineOf(SECOND))}`, [FIRST, SECOND]],
    ["Logpush", `${logpush(lineOf(FIRST))}\r\n${logpush(lineOf(SECOND))}\r\n`, [FIRST, SECOND]],
  ])("%s", (_, text, expected) => {
    expect(readCheckpoints(text)).toEqual(expected);
  });
});

describe("a file is rejected that", () => {
  it.each([
    ["is empty", "", "neither"],
    ["has no signature", FIRST.slice(0, FIRST.indexOf("\n\n") + 2), "neither"],
    ["has something else behind a note", `${FIRST}and more\n`, "neither"],
    ["has a truncated note behind a note", `${FIRST}${SECOND.slice(0, 40)}`, "neither"],
    ["has a note with another line break", FIRST.replaceAll("\n", "\r\n"), "neither"],
    ["has no line of the sealer", lineOf(FIRST).replace("ledger_sealed", "seals_failed"), "neither"],
    [
      "has a line with half a note",
      [lineOf(SECOND), lineOf(FIRST.slice(0, 40))].join("\n"),
      "cannot be read",
    ],
    ["has a truncated line", lineOf(FIRST).slice(0, 90), "cannot be read"],
    // A prompt or a header can contain such a line.
    ["has the line within another value", JSON.stringify({ prompt: lineOf(FIRST) }), "neither"],
  ])("%s", (_, text, issue) => {
    expect(readCheckpoints(text)).toContain(issue);
  });
});
