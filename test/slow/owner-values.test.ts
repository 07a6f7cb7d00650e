/** The owner header's grammar on a million generated values. */
import { describe, expect, it } from "vitest";
import { readOwnerHeader } from "../../src/gateway/initiator/owner-header.ts";
import { between, seededRandom } from "../support/rechunk.ts";
describe("a million generated values", () => {
  const DIGITS = "0123456789abcdef";

  /** A second parser for the header, without a regular expression. Returns the owner id, or null. */
  function expectedOwner(sent: string): string | null {
    let from = 0;
    let to = sent.length;
    const blank = (at: number): boolean => sent[at] === " " || sent[at] === "\t";
    while (from < to && blank(from)) from += 1;
    while (to > from && blank(to - 1)) to -= 1;
    if (to - from !== 36) return null;
    let id = "";
    for (let at = 0; at < 36; at += 1) {
      const char = sent.charAt(from + at);
      const lower =
        char >= "A" && char <= "F" ? DIGITS.charAt(DIGITS.indexOf("a") + "ABCDEF".indexOf(char)) : char;
      const hyphen = at === 8 || at === 13 || at === 18 || at === 23;
      if (hyphen ? char !== "-" : !DIGITS.includes(lower)) return null;
      if (at === 14 && lower !== "4") return null;
      if (at === 19 && !"89ab".includes(lower)) return null;
      id += lower;
    }
    return id;
  }

  const CHECKED_POSITIONS = [8, 13, 14, 18, 19, 23];
  const ODD = " \t,-{}:xgGzZ\u00a0\u0430\uff11\u0131\u212a\u017f\n\r\0\u2028é";

  /** Mostly ids, most of them with one or two flaws. Half of the flaws are at the positions that the parser checks. */
  function generate(random: () => number): string {
    const digit = () => DIGITS.charAt(between(random, 0, 15));
    let id = "";
    for (let at = 0; at < 36; at += 1) {
      if (at === 8 || at === 13 || at === 18 || at === 23) id += "-";
      else if (at === 14) id += "4";
      else if (at === 19) id += "89ab".charAt(between(random, 0, 3));
      else id += random() < 0.2 ? digit().toUpperCase() : digit();
    }
    for (let flaws = between(random, 0, 2); flaws > 0; flaws -= 1) {
      const at =
        random() < 0.5 ? (CHECKED_POSITIONS.at(between(random, 0, 5)) ?? 0) : between(random, 0, id.length);
      const char = random() < 0.5 ? digit() : ODD.charAt(between(random, 0, ODD.length - 1));
      const kind = random();
      const past = kind < 0.6 ? at + 1 : kind < 0.8 ? at : at + 1;
      id = id.slice(0, at) + (kind < 0.8 ? char : "") + id.slice(past);
    }
    const pad = random();
    return pad < 0.9
      ? id
      : pad < 0.95
        ? ` ${id}\t`
        : `${ODD.charAt(between(random, 0, ODD.length - 1))}${id} `;
  }

  it("A1 to A14: agrees with an independent parser that uses no regular expression", () => {
    const random = seededRandom(20_261_123);
    let accepted = 0;
    for (let count = 0; count < 1_000_000; count += 1) {
      const sent = generate(random);
      const read = readOwnerHeader(sent);
      const id = read.kind === "owner" ? read.id : null;
      // A million calls of expect() would take minutes.
      if (id !== expectedOwner(sent))
        throw new Error(`${JSON.stringify(sent)} was read as ${JSON.stringify(read)}`);
      if (id !== null) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(300_000);
    expect(accepted).toBeLessThan(700_000);
  });
});
