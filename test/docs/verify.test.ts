/** docs/verify.md: its worked example, recomputed with nothing but SHA-256, is what the sealer writes. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventEntry } from "../../src/records/ledger/seal/entry.ts";
import { FINDINGS } from "../../src/records/ledger/seal/finding.ts";
import { parseSealText } from "../../src/records/ledger/seal/sealed-facts.ts";
import { ROOT } from "../../tools/root.ts";

const page = readFileSync(join(ROOT, "docs/verify.md"), "utf8");
const [, entry = ""] = /<!-- example: entry -->\n\n```text\n([^]*?)\n```/.exec(page) ?? [];
const [, cells = ""] = /<!-- example: commitment -->\n\n([^]*?)\n\n/.exec(page) ?? [];
const steps = new Map(
  Array.from(cells.matchAll(/^\| (\S.*?) +\| `(.*)` +\|$/gm), ([, name = "", value = ""]) => [
    name.replaceAll("`", ""),
    value,
  ]),
);
const step = (name: string): string => steps.get(name) ?? "";
const hex = (name: string): Buffer => Buffer.from(step(name), "hex");
const sha256 = (...parts: readonly (Buffer | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

type Entry = {
  readonly event_id: string;
  readonly index: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly commitments: Readonly<Record<string, string>>;
};

describe("the worked example", () => {
  it("has the hash of its leaf", () => {
    const leaf = sha256(Buffer.of(0), entry).toString("base64");
    expect(page).toContain(`Its leaf's hash is \`${leaf}\`.`);
  });

  it("derives the salt and the commitment of the entry", () => {
    const { event_id, commitments } = JSON.parse(entry) as Entry;
    expect(step("seal").split(".")[0]).toBe(hex("seed").toString("base64url"));
    expect(step("event id")).toBe(event_id.replaceAll("-", ""));
    const salt = sha256(hex("seed"), hex("event id"), step("field name")).subarray(0, 16);
    expect(step("salt")).toBe(salt.toString("hex"));
    const commitment = sha256(salt, step("value")).toString("base64url");
    expect(step("commitment")).toBe(commitment);
    expect(commitments[step("field name")]).toBe(commitment);
  });

  it("is the entry that the sealer writes for the row", () => {
    const facts = parseSealText(step("seal"));
    if (!facts) throw new Error("not a seal");
    const { event_id: id, fields, index } = JSON.parse(entry) as Entry;
    const values = { ...fields, initiator_id: "alice", prompt: JSON.parse(step("value")) as unknown };
    const event = { id, type: "prompt_usage", values, facts } as const;
    expect(eventEntry(event, { index, schema: 1 })).toBe(entry);
  });
});

it("names no finding that the verifier does not have", () => {
  const named = [...page.matchAll(/^\| `([a-z_]+)` +\| [A-Z]/gm)].map(([, kind]) => kind);
  expect(named).toEqual(Object.keys(FINDINGS));
});
