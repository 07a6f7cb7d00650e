/**
 * Finds secrets in files, with the patterns that `src/events/redaction.ts` redacts from records. Tests need keys that look
 * real: the allow-list below has each, with the property that shows that it was made up.
 */
import { createHash } from "node:crypto";
import { BUILT_IN_PATTERNS } from "../../src/events/redaction.ts";

export type Finding = {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  /** Identifies the secret in the allow-list: a prefix of its SHA-256, never the secret itself. */
  readonly mark: string;
};

type Allowed = { readonly in: RegExp; readonly why: string } & (
  { readonly form: RegExp } | { readonly marks: readonly string[] }
);

const ALLOWED: readonly Allowed[] = [
  { in: /^test\/events\/redaction\.test\.ts$/, form: /^/, why: "the table of redacted texts" },
  {
    in: /^(?:test|fuzz)\//,
    form: /canary|secret|no[-_]such|wrong-key|the-provider-key|x{16}/i,
    why: "its text says that it is not a secret",
  },
  {
    in: /^(?:test|bench|fuzz)\//,
    form: /0123456789|abcdefgh12345678|aBcDeF0123-/,
    why: "a sequence, which no random key contains",
  },
  {
    in: /^(?:test|tools\/emulator)\//,
    form: /AKIAEMULATED0{8}|emulated\/secret\+access-key/,
    why: "the access key of the emulated AWS, which no other service accepts",
  },
  {
    in: /^docs\/providers\.md$/,
    form: /^sk-emulated-/,
    why: "keys for the emulated provider, which no other service accepts",
  },
  { in: /^test\//, marks: ["65772be023ca"], why: "the access key of AWS's own documentation" },
  { in: /^tools\/emulator\/aws-signature\.ts$/, marks: ["53b51d730b18"], why: "a regular expression" },
  {
    in: /^docs\/recipes\.md$/,
    form: /Local(?:Alice|Bobby)-/,
    why: "the tokens of the stand-ins, which no other service accepts",
  },
  {
    in: /^(?:tools|README\.md|docs|test\/docs)/,
    form: /aei_(?:admin-|mac-)?local-/,
    why: "the keys of `npm start`, which no other deployment accepts",
  },
  {
    in: /^test\//,
    why: "made up: the keys of test/sockets/case-harness.ts, then keys of single tests",
    marks: [
      "831c0c581acd",
      "e8d3ff3cd6e8",
      "ed4e668adbd2",
      "cf60a37f127d",
      "becd80840d50",
      "4bf7c714442b",
      "9cb037e0108a",
      "1a483f60d1b0",
      "de420f05d6d1",
      "968f7bef88b8",
      "64d6a29bd0c1",
      "73eb478c485a",
      "76016d12d3b8",
      "d3164adaa22d",
      "393f785d239a",
      "207dcdc00e4b",
      "3ae7c4871264",
      "bd573ff82127",
      "18830256ce62",
      "9f6ed36c99fe",
      "07a58f31acba",
      "12a3fa74f1b8",
      "410ebb36df26",
      "52ee39345400",
      "00afab837988",
      "03e7e03833cc",
      "a02a96a364e9",
      "0c253db29806",
      "a213b4fb6fb4",
      "3b5df731e406",
      "d647c0a174f5",
      "b7cfdcbb1644",
      "9c06d532edf0",
      "2123f28b8c31",
      "e890f3a2b607",
      "f3809d8f6dde",
      "2c2294b4479b",
    ],
  },
];

const markOf = (secret: string): string => createHash("sha256").update(secret).digest("hex").slice(0, 12);

/** Every possible secret in a text that the allow-list does not cover, in order. */
export function findSecrets(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  for (const { kind, form } of BUILT_IN_PATTERNS) {
    for (const { 0: secret, index } of text.matchAll(form)) {
      const mark = markOf(secret);
      if (isAllowed(file, secret, mark)) continue;
      findings.push({ file, line: text.slice(0, index).split("\n").length, kind, mark });
    }
  }
  return findings.toSorted((a, b) => a.line - b.line);
}

function isAllowed(file: string, secret: string, mark: string): boolean {
  return ALLOWED.some(
    (entry) =>
      entry.in.test(file) && ("form" in entry ? entry.form.test(secret) : entry.marks.includes(mark)),
  );
}
