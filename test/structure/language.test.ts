/** The words that tools/language/word-list.ts avoids, and the list itself. */
import { describe, expect, it } from "vitest";
import { coveredFiles, findUses } from "../../tools/language/uses.ts";
import {
  AVOIDED,
  avoidedWords,
  EXCEPTIONS,
  splitIdentifiers,
  wordsOf,
} from "../../tools/language/word-list.ts";
import { ownFiles } from "../../tools/supply/tree.ts";

describe("the project's English", () => {
  it("avoids the words of the list, in the paths and contents of all files", () => {
    expect(findUses()).toEqual([]);
  });

  it("is checked in all folders of code and in all pages", () => {
    const files = coveredFiles(ownFiles());
    const folders = files.filter((path) => path.includes("/")).map((path) => path.split("/")[0]);
    expect(new Set(folders)).toEqual(new Set(["src", "test", "tools", "bench", "fuzz", "console", "docs"]));
    expect(files.length).toBeGreaterThan(300);
    expect(files).toContain("test/structure/language.test.ts");
    expect(files).toEqual(
      expect.arrayContaining(["README.md", "CHANGELOG.md", "docs/budgets.md", "docs/clients/codex.md"]),
    );
  });
});

describe("the word list", () => {
  it.each(AVOIDED.flatMap(({ pattern, examples }) => examples.map((text) => [pattern, text] as const)))(
    "%s finds %j",
    (pattern, text) => {
      expect(wordsOf(text)).toMatch(pattern);
    },
  );

  it.each(AVOIDED.flatMap(({ pattern, allowed = [] }) => allowed.map((text) => [pattern, text] as const)))(
    "%s does not find %j",
    (pattern, text) => {
      expect(wordsOf(text)).not.toMatch(pattern);
    },
  );

  it("has patterns without state, so that each line is searched from its start", () => {
    expect(AVOIDED.filter(({ pattern }) => pattern.global || pattern.sticky)).toEqual([]);
  });

  it("has a reason for each exception, and each exception hides an avoided word", () => {
    const texts = AVOIDED.flatMap(({ allowed = [] }) => allowed);
    for (const { pattern, reason } of EXCEPTIONS) {
      expect(reason).not.toBe("");
      const hidden = texts.filter((text) => text.replaceAll(pattern, "") !== text);
      const found = hidden.filter((text) =>
        AVOIDED.some((avoided) => avoided.pattern.test(splitIdentifiers(text))),
      );
      expect([pattern, found]).not.toEqual([pattern, []]);
    }
  });

  it("does not find case ids", () => {
    expect(avoidedWords('it("A7 G23 H5 rejects the nil id and the max id", () => {});')).toEqual([]);
  });

  it("reports each use with its line, its text and the word to use", () => {
    const word = ["compl", "ains"].join("");
    expect(avoidedWords(`first\n  it ${word}\n`)).toEqual([
      { line: 2, text: `it ${word}`, use: "log an error" },
    ]);
  });
});

describe("splitIdentifiers", () => {
  it.each([
    ["readLedger", "read Ledger"],
    ["key_echo", "key echo"],
    ["RETENTION_DAYS", "RETENTION DAYS"],
    ["sha256Hex of x", "sha256 Hex of x"],
    ["_private and trailing_", "_private and trailing_"],
    ["plain words", "plain words"],
  ])("reads %j as %j", (text, words) => {
    expect(splitIdentifiers(text)).toBe(words);
  });
});
