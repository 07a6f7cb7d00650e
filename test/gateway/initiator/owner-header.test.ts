import { describe, expect, it } from "vitest";
import { readCoderId, readOwnerHeader } from "../../../src/gateway/initiator/owner-header.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

/** The value as `Headers` returns it after one header line per element. */
function received(...sent: readonly string[]): string | null {
  const headers = new Headers();
  for (const value of sent) headers.append("X-Coder-Owner-Id", value);
  return headers.get("x-coder-owner-id");
}

describe("the owner header's grammar", () => {
  it("A1 accepts a version 4 UUID", () => {
    expect(readOwnerHeader(OWNER)).toEqual({ kind: "owner", id: OWNER });
  });

  it.each(["8", "9", "a", "b"])(
    "A1 accepts the variant nibble %s: every value of RFC 9562's variant",
    (nibble) => {
      const id = `7f3c2a10-1234-4abc-${nibble}def-000000000001`;
      expect(readOwnerHeader(id)).toEqual({ kind: "owner", id });
    },
  );

  it.each(["7F3C2A10-1234-4ABC-9DEF-000000000001", "7f3C2a10-1234-4aBc-9dEf-000000000001"])(
    "A2 returns %s in lower case",
    (sent) => {
      expect(readOwnerHeader(sent)).toEqual({ kind: "owner", id: OWNER });
    },
  );

  it.each(["A", "B"])("A2 accepts the variant nibble %s in upper case", (nibble) => {
    const id = `7f3c2a10-1234-4abc-${nibble}def-000000000001`;
    expect(readOwnerHeader(id)).toEqual({ kind: "owner", id: id.toLowerCase() });
  });

  it("A3 reports an absent header as absent", () => {
    expect(readOwnerHeader(received())).toEqual({ kind: "absent" });
  });

  it.each(["", " ", "\t", " \t  \t "])("A4 reports a blank header (%j) as absent", (sent) => {
    expect(readOwnerHeader(sent)).toEqual({ kind: "absent" });
    expect(readOwnerHeader(received(sent))).toEqual({ kind: "absent" });
  });

  it.each([
    ["nil", "00000000-0000-0000-0000-000000000000"],
    ["max", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ["max in upper case", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"],
  ])("A7 rejects the %s id", (_, sent) => {
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "version" });
  });

  it.each([..."012356789abcdef"])("A8 rejects version %s", (version) => {
    const sent = `7f3c2a10-1234-${version}abc-9def-000000000001`;
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "version" });
  });

  it.each([..."01234567cdefCDEF"])("A9 rejects the variant nibble %s", (nibble) => {
    const sent = `7f3c2a10-1234-4abc-${nibble}def-000000000001`;
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "variant" });
  });

  it.each([
    ["a URN", `urn:uuid:${OWNER}`],
    ["a URN in upper case", `URN:UUID:${OWNER}`],
    ["braces", `{${OWNER}}`],
    ["32 hex digits", OWNER.replaceAll("-", "")],
    ["surrounding letters", `x${OWNER}y`],
    ["quotes", `"${OWNER}"`],
    ["one digit short", OWNER.slice(1)],
    ["one digit long", `${OWNER}0`],
    ["a hyphen in the wrong place", "7f3c2a101-234-4abc-9def-000000000001"],
    ["underscores for hyphens", OWNER.replaceAll("-", "_")],
    ["a letter that is not a hex digit", `g${OWNER.slice(1)}`],
    ["text that is not an id", "not-a-uuid"],
    ["a path after the id", `${OWNER}/x`],
    ["a line break after the id", `${OWNER}\n`],
    ["a NUL after the id", `${OWNER}\0`],
  ])("A10 rejects %s", (_, sent) => {
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "form" });
  });

  it.each([
    ["the same value twice", [OWNER, OWNER]],
    ["two values", [OWNER, "7f3c2a10-1234-4abc-9def-000000000002"]],
    ["an empty value first", ["", OWNER]],
    ["an empty value last", [OWNER, ""]],
    ["a malformed value after a valid id", [OWNER, "x"]],
  ])("A11 rejects a repeated header: %s", (_, sent) => {
    expect(readOwnerHeader(received(...sent))).toEqual({ kind: "bad", reason: "multiple" });
  });

  it.each([`, ${OWNER}`, `${OWNER},`, `${OWNER},${OWNER}`, ","])(
    "A12 rejects %j as multiple values",
    (sent) => {
      expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "multiple" });
    },
  );

  it.each([` ${OWNER}`, `${OWNER} `, `\t${OWNER}\t`, ` \t ${OWNER} \t `])(
    "A13 trims the blanks around %j",
    (sent) => {
      expect(readOwnerHeader(sent)).toEqual({ kind: "owner", id: OWNER });
    },
  );

  it.each([
    ["a no-break space before the id", `\u00a0${OWNER}`],
    ["a no-break space after the id", `${OWNER}\u00a0`],
    ["a byte order mark", `\ufeff${OWNER}`],
    ["a line separator", `${OWNER}\u2028`],
    ["a vertical tab", `\v${OWNER}`],
    ["a tab inside", OWNER.replace("-", "\t")],
    ["a blank inside", OWNER.replace("-", " ")],
    ["full-width digits", OWNER.replaceAll("0", "\uff10")],
    ["a Cyrillic а", OWNER.replace("a", "\u0430")],
    ["Latin-1 letters", OWNER.replace("a", "\u00e4")],
    ["a minus sign for a hyphen", OWNER.replace("-", "\u2212")],
    ["a soft hyphen", `${OWNER}\u00ad`],
  ])("A14 rejects %s", (_, sent) => {
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "form" });
  });

  // Trimming with a regular expression that restarts at each blank takes quadratic time: 12 s for 100 KB. The runner's
  // own timeout would then fail this test.
  it.each([
    ["letters", "x".repeat(200_000)],
    ["hex digits", "0".repeat(200_000)],
    ["blanks after an id", `${OWNER}${" \t".repeat(100_000)}x`],
    ["ids", OWNER.repeat(5556)],
  ])("A15 rejects 200,000 characters of %s in linear time", (_, sent) => {
    expect(readOwnerHeader(sent)).toEqual({ kind: "bad", reason: "form" });
  });

  it("A15 reports 100 KB of blanks as absent", () => {
    expect(readOwnerHeader(" ".repeat(100_000))).toEqual({ kind: "absent" });
  });
});

/** A second implementation of the grammar, character by character: the id in lower case, `absent` or `bad`. */
function readIndependently(sent: string): string {
  let from = 0;
  let to = sent.length;
  const blank = (at: number): boolean => sent.charCodeAt(at) === 0x20 || sent.charCodeAt(at) === 0x09;
  while (from < to && blank(from)) from += 1;
  while (to > from && blank(to - 1)) to -= 1;
  if (from === to) return "absent";
  if (to - from !== 36) return "bad";
  let id = "";
  for (let at = 0; at < 36; at += 1) {
    const code = sent.charCodeAt(from + at);
    const isHyphen = at === 8 || at === 13 || at === 18 || at === 23;
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLower = code >= 0x61 && code <= 0x66;
    const isUpper = code >= 0x41 && code <= 0x46;
    if (isHyphen ? code !== 0x2d : !isDigit && !isLower && !isUpper) return "bad";
    id += String.fromCharCode(isUpper ? code + 0x20 : code);
  }
  if (id.charAt(14) !== "4") return "bad";
  const variant = id.charAt(19);
  return variant === "8" || variant === "9" || variant === "a" || variant === "b" ? id : "bad";
}

const HEX = "0123456789abcdefABCDEF";
const ODD = '0123456789abcdefABCDEF-- \t,gG{}:urnx\u00a0\u0430\uff10\n"\\';
const FORM = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";

function valid(random: () => number): string {
  let id = "";
  for (const c of FORM) {
    if (c === "x") id += HEX[between(random, 0, HEX.length - 1)];
    else id += c === "v" ? "89abAB"[between(random, 0, 5)] : c;
  }
  return id;
}

function mutated(random: () => number): string {
  let id = valid(random);
  for (let times = between(random, 1, 2); times > 0; times -= 1) {
    const at = between(random, 0, id.length);
    const odd = ODD[between(random, 0, ODD.length - 1)] ?? "";
    const change = between(random, 0, 3);
    if (change === 0) id = id.slice(0, at) + odd + id.slice(at);
    else if (change === 1) id = id.slice(0, at) + odd + id.slice(at + 1);
    else if (change === 2) id = id.slice(0, at) + id.slice(at + 1);
    else id = id.slice(0, 14) + odd + id.slice(15, 19) + (ODD[between(random, 0, 40)] ?? "") + id.slice(20);
  }
  return id;
}

function randomText(random: () => number): string {
  let text = "";
  for (let left = between(random, 0, 40); left > 0; left -= 1)
    text += ODD[between(random, 0, ODD.length - 1)];
  return text;
}

function blanks(random: () => number): string {
  return random() < 0.8 ? "" : " \t ".slice(0, between(random, 1, 3));
}

describe("the owner header's grammar, checked without a regular expression", () => {
  it("A1-A14 agrees with a second implementation on 1,000,000 generated values", { timeout: 60_000 }, () => {
    const seen = { owner: 0, absent: 0, bad: 0 };
    forSeeds(1000, (seed) => {
      const random = seededRandom(seed);
      const disagreements: string[] = [];
      for (let at = 0; at < 1000; at += 1) {
        const kind = random();
        const core = kind < 0.4 ? valid(random) : kind < 0.9 ? mutated(random) : randomText(random);
        const sent = blanks(random) + core + blanks(random);
        const read = readOwnerHeader(sent);
        seen[read.kind] += 1;
        if ((read.kind === "owner" ? read.id : read.kind) !== readIndependently(sent))
          disagreements.push(sent);
      }
      expect(disagreements).toEqual([]);
    });
    // The generator must produce enough values of each kind.
    expect(seen.owner).toBeGreaterThan(400_000);
    expect(seen.bad).toBeGreaterThan(300_000);
    expect(seen.absent).toBeGreaterThan(1000);
  });
});

describe("Coder's other ids", () => {
  it.each([
    ["7F3C2A10-1234-4ABC-9DEF-000000000001", OWNER],
    [` ${OWNER} `, OWNER],
    // Coder chooses the ids of chats: any UUID version is accepted.
    ["01963d2e-0000-7000-8000-000000000000", "01963d2e-0000-7000-8000-000000000000"],
  ])("A21 reads %j as %s", (sent, id) => {
    expect(readCoderId(sent)).toBe(id);
  });

  it.each([
    null,
    "",
    "not-a-uuid",
    `${OWNER}, ${OWNER}`,
    `{${OWNER}}`,
    `${OWNER}\n{"record_type":"forged"}`,
    "x".repeat(100_000),
  ])("A21 drops the malformed id %j", (sent) => {
    expect(readCoderId(sent)).toBeNull();
  });
});
