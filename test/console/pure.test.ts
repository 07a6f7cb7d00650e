/** The computations of the console, without a browser. test/browser has the pages. */
import { describe, expect, it } from "vitest";
import { filtersFor } from "../../console/app/filter-names.ts";
import { rangeOf } from "../../console/app/range-of.ts";
import { countText } from "../../console/pages/anomaly-count.ts";
import { piecesOf, visibleText } from "../../console/text/visible.ts";
import { isContinued, isIncluded, leafHash } from "../../console/verify/merkle.ts";
import { ANOMALY_KINDS } from "../../src/events/anomaly-kinds.ts";
import {
  consistencyRanges,
  inclusionRanges,
  leafHash as leafOf,
  nodeHash,
  splitPoint,
  type Hash,
} from "../../src/records/ledger/seal/merkle.ts";

const LEAVES = Array.from({ length: 40 }, (_, at) => leafOf(new TextEncoder().encode(`entry ${at}`)));

/** RFC 6962 §2.1, as it is written there. */
function root(from: number, to: number): Hash {
  if (to - from === 1) return LEAVES[from] ?? new Uint8Array();
  const split = from + splitPoint(to - from);
  return nodeHash(root(from, split), root(split, to));
}

describe("proofs in the browser", () => {
  it("accept each leaf of each tree with the proof that the Worker makes, and none in another place or tree", async () => {
    for (let size = 2; size <= LEAVES.length; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionRanges(index, { from: 0, to: size }).map(({ from, to }) => root(from, to));
        const place = { leaf: LEAVES[index] ?? new Uint8Array(), index, size, root: root(0, size) };
        const results = [
          await isIncluded(place, proof),
          await isIncluded({ ...place, index: (index + 1) % size }, proof),
          await isIncluded(place, proof.slice(1)),
          await isIncluded({ ...place, root: root(0, size - 1) }, proof),
        ];
        expect({ index, size, results }).toEqual({ index, size, results: [true, false, false, false] });
      }
    }
    const only = { leaf: LEAVES[0] ?? new Uint8Array(), index: 0, size: 1, root: root(0, 1) };
    expect(await isIncluded(only, [])).toBe(true);
  });

  it("accept each tree as the continuation of each earlier one, and of no other", async () => {
    for (let size = 1; size <= 24; size++) {
      for (let earlier = 1; earlier <= size; earlier++) {
        const proof =
          earlier === size ? [] : consistencyRanges(earlier, size).map(({ from, to }) => root(from, to));
        const [first, second] = [
          { size: earlier, root: root(0, earlier) },
          { size, root: root(0, size) },
        ];
        const results = [
          await isContinued(first, second, proof),
          await isContinued({ ...first, root: root(1, 2) }, second, proof),
          await isContinued(first, { ...second, root: root(1, 2) }, proof),
        ];
        expect({ earlier, size, results }).toEqual({ earlier, size, results: [true, false, false] });
      }
    }
  });

  it("hash an entry as the Worker does", async () => {
    expect(await leafHash("entry 0")).toEqual(LEAVES[0]);
  });
});

describe("texts", () => {
  it.each([
    ["a\u202Eb", "a⟨U+202E⟩b"],
    ["\u200B\u200B\u200B", "⟨U+200B ×3⟩"],
    ["x\u{E0068}\u{E0069}y", "x⟨tags: hi⟩y"],
    ["\uD800 and \uDC00", "⟨U+D800⟩ and ⟨U+DC00⟩"],
    ["\u0000\u001B[31m", "⟨U+0000⟩⟨U+001B⟩[31m"],
    ["a\u00ADb\uFEFF", "a⟨U+00AD⟩b⟨U+FEFF⟩"],
    ["\u3164\u115F\u2800", "⟨U+3164⟩⟨U+115F⟩⟨U+2800⟩"],
    ["a\uFE0Fb\u200Dc", "a⟨U+FE0F⟩b⟨U+200D⟩c"],
  ])("mark what is hidden or reorders: %j", (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  it.each(["Grüße, 你好, مرحبا", "👩‍👩‍👧 ❤️ 👍🏽", "e\u0301", ""])("leave alone what a reader sees: %s", (text) => {
    expect(visibleText(text)).toBe(text);
  });

  it("keep line breaks and tabs of a prompt, and mark them in a name", () => {
    expect(piecesOf("a\n\tb", true)).toEqual([{ text: "a\n\tb", mark: null }]);
    expect(visibleText("a\nb")).toBe("a⟨U+000A⟩b");
  });

  it("split a megabyte of hidden characters into few pieces, without quadratic work", () => {
    const text = "\u200B".repeat(500_000) + "x".repeat(500_000);
    expect(piecesOf(text, true)).toHaveLength(2);
  });
});

describe("the range of a page", () => {
  const NOW = Date.parse("2026-11-30T14:20:00Z");
  const of = (search: string) => rangeOf(new URLSearchParams(search), NOW).plots;

  it("has plots by hour where it is one day, and else by day", () => {
    const today = of("range=1d");
    expect([today.unit, today.keys.length]).toEqual(["hour", 15]);
    expect([today.keys[0], today.keys.at(-1)]).toEqual(["2026-11-30T00:00:00Z", "2026-11-30T14:00:00Z"]);
    expect(of("from=2026-11-28&to=2026-11-28").keys).toHaveLength(24);
    expect(of("from=2026-11-27&to=2026-11-28")).toEqual({ unit: "day", keys: ["2026-11-27", "2026-11-28"] });
    for (const unnamed of ["", "range=2d", "range=constructor"])
      expect(of(unnamed)).toMatchObject({ unit: "day", keys: { length: 30 } });
  });

  it("ends before today where it is yesterday", () => {
    expect(rangeOf(new URLSearchParams("range=yesterday"), NOW)).toMatchObject({
      started_after: "2026-11-29T00:00:00.000Z",
      started_before: "2026-11-30T00:00:00.000Z",
      words: "yesterday (UTC)",
      days: ["2026-11-29"],
      plots: { unit: "hour", keys: { length: 24 } },
    });
  });
});

describe("the figure of an anomaly", () => {
  it.each(Object.keys(ANOMALY_KINDS))("of the kind %s has a unit", (kind) => {
    expect(countText(kind, 2)).toMatch(/^2 (initiators|actors|owners|requests|refusals)$/);
  });

  it("is singular for one, and a lower bound where the cron stops counting", () => {
    expect(countText("owner_without_chat", 1)).toBe("1 request");
    expect(countText("owner_without_chat", 10)).toBe("10 requests");
    expect(countText("chat_multiple_initiators", 10)).toBe("10 or more initiators");
    expect(countText("a_kind_of_tomorrow", 2)).toBeNull();
  });
});

const filtersOf = (page: string, search: string) =>
  filtersFor(page, { entries: [...new URLSearchParams(search)] as [string, string][] });

describe("the filters that a link keeps", () => {
  it("are those that the other page has, with values that it has", () => {
    expect(filtersOf("/live", "client=Codex&accepted=true&range=7d&after_id=x")).toEqual({ client: "Codex" });
    // Reasons of overrides and of refusals are two closed sets under one name.
    expect(filtersOf("/overrides", "reason=form")).toEqual({ reason: "form" });
    expect(filtersOf("/refusals", "reason=form&provider=openai")).toEqual({ provider: "openai" });
    expect(filtersOf("/refusals", "reason=budget_exceeded")).toEqual({ reason: "budget_exceeded" });
    expect(filtersOf("/budgets/unknown", "client=Codex")).toEqual({});
  });
});
