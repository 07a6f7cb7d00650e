import { describe, expect, it } from "vitest";
import {
  checkpointIn,
  formatCheckpoint,
  parseCheckpoint,
} from "../../../../src/records/ledger/seal/checkpoint.ts";
import { canonicalJson } from "../../../../src/records/ledger/seal/canonical.ts";
import {
  createSigner,
  newPrivateKey,
  parseVerifierKey,
} from "../../../../src/records/ledger/seal/note-keys.ts";
import { parseNote, signNote, verifyNote } from "../../../../src/records/ledger/seal/note.ts";
import { sealKeyName } from "../../../../src/shared/seal-key.ts";
import { tilePath } from "../../../../src/records/ledger/seal/tiles.ts";
import { signerOf } from "../../../support/in-workerd/sealed-ledger.ts";

/** The example of Go's package: https://pkg.go.dev/golang.org/x/mod/sumdb/note */
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE =
  `${atob("SWYgeW91IHRoaW5rIGNyeXB0b2dyYXBoeSBpcyB0aGUgYW5zd2VyIHRvIHlvdXIgcHJvYmxlbSwKdGhlbiB5b3UgZG9uJ3Qga25vdyB3aGF0IHlvdXIgcHJvYmxlbSBpcy4K")}\n` +
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

const keyOf = (text: string) => {
  const key = parseVerifierKey(text);
  if (!key) throw new Error("no key");
  return key;
};
const noteOf = (text: string) => {
  const note = parseNote(text);
  if (!note) throw new Error("no note");
  return note;
};

describe("signed notes", () => {
  it("are those of Go's package, byte for byte", async () => {
    expect(await verifyNote(noteOf(NOTE), [keyOf(PETER)])).toHaveLength(1);
    const signer = await createSigner(PETER_PRIVATE);
    expect(signer.verifierKey).toBe(PETER);
    expect(await signNote(noteOf(NOTE).text, [signer])).toBe(NOTE);
  });

  it("ignore unknown keys and reject a known key's wrong signature", async () => {
    const note = noteOf(NOTE);
    expect(await verifyNote(note, [await signerOf()])).toEqual([]);
    expect(await verifyNote({ ...note, text: `${note.text}x\n` }, [keyOf(PETER)])).toBe("wrong");
    const cut = note.signatures.map((one) => ({ ...one, signature: one.signature.slice(0, 63) }));
    expect(await verifyNote({ ...note, signatures: cut }, [keyOf(PETER)])).toBe("wrong");
  });

  it("take 16 signatures and more, of any kind", async () => {
    const signers = await Promise.all(Array.from({ length: 20 }, (_, at) => signerOf(`cosigner-${at}`)));
    const note = noteOf(await signNote("a\n", signers));
    expect(note.signatures).toHaveLength(20);
    expect(await verifyNote(note, signers)).toHaveLength(20);
    // A timestamped cosignature is longer: https://c2sp.org/tlog-cosignature
    const cosigned = `${await signNote("a\n", signers)}— cosigner ${btoa("x".repeat(76))}\n`;
    expect(await verifyNote(noteOf(cosigned), signers)).toHaveLength(20);
  });

  it.each([
    ["without signatures", "a\n\n"],
    ["without an empty line", "a\n— b AAAAAAAA\n"],
    ["without the last LF", NOTE.slice(0, -1)],
    ["with a control character", NOTE.replace("think", "th\u0007nk")],
    ["with a short signature", "a\n\n— b AAAA\n"],
    ["with a name that has a plus sign", NOTE.replace("— PeterNeumann", "— Peter+Neumann")],
    ["with a text after the signatures", `${NOTE}x\n`],
    ["with a hyphen for the dash", NOTE.replace("—", "-")],
  ])("are rejected %s", (_, text) => expect(parseNote(text)).toBeNull());
});

describe("keys", () => {
  it.each([
    ["another id", PETER.replace("c74f20a3", "c74f20a4")],
    ["another name", PETER.replace("Peter", "Petra")],
    ["another type", PETER.replace("+ARpc", "+AhpcA")],
    ["a space", ` ${PETER}`],
    ["nothing", ""],
  ])("are rejected with %s", (_, text) => expect(parseVerifierKey(text)).toBeNull());

  it("have a name that can be read without the key", () => {
    expect(sealKeyName(PETER_PRIVATE)).toBe("PeterNeumann");
    expect(sealKeyName(PETER)).toBeNull();
    expect(sealKeyName(PETER_PRIVATE.slice(0, -4))).toBeNull();
  });

  it("are rejected where the id belongs to another key", async () => {
    await expect(createSigner(PETER_PRIVATE.replace("c74f20a3", "00000000"))).rejects.toThrow("key id");
    await expect(createSigner("x")).rejects.toThrow("private key");
    expect(await newPrivateKey("a", new Uint8Array(32))).toMatch(/^PRIVATE\+KEY\+a\+[0-9a-f]{8}\+AQ/);
  });
});

describe("checkpoints", () => {
  const root = new Uint8Array(32).fill(7);
  const text = formatCheckpoint({ origin: "a.example/log", size: 12, root });

  it("have an origin, a size and a root, a line each", () => {
    expect(text).toBe(`a.example/log\n12\n${btoa("\u0007".repeat(32))}\n`);
    expect(parseCheckpoint(text)).toEqual({ origin: "a.example/log", size: 12, root });
    expect(parseCheckpoint(`${text}an extension\n`)).toMatchObject({ size: 12 });
    expect(checkpointIn(NOTE)).toBeNull();
  });

  it.each([
    ["a leading zero", text.replace("12", "012")],
    ["a negative size", text.replace("12", "-12")],
    ["no origin", text.replace("a.example/log", "")],
    ["a short root", text.replace("Bw", "")],
    ["a root without padding", text.replace("=", "")],
    ["a root in base64url", text.replace("B", "_")],
    ["no last LF", text.slice(0, -1)],
    ["two lines", "a\n1\n"],
    ["a size past 2^53", text.replace("12", "9007199254740993")],
  ])("are rejected with %s", (_, wrong) => expect(parseCheckpoint(wrong)).toBeNull());
});

describe("canonical JSON", () => {
  it("is the RFC's own example", () => {
    const value = {
      numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it("sorts names by UTF-16 code units, as the RFC's example", () => {
    const names = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
    const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"];
    const text = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
    expect(text).toBe(`{${sorted.map((name) => `${JSON.stringify(name)}:0`).join(",")}}`);
  });

  it.each([
    ["NaN", NaN],
    ["infinity", Infinity],
    ["undefined", undefined],
    ["a function", () => 1],
  ])("rejects %s", (_, value) => {
    expect(() => canonicalJson(value)).toThrow(/^(?:not JSON|not a number of JSON|a lone surrogate)$/);
  });
});

it("rejects half a surrogate in canonical JSON, also in a name", () => {
  expect(() => canonicalJson("\ud800")).toThrow("lone surrogate");
  expect(() => canonicalJson({ "\udc00": 1 })).toThrow("lone surrogate");
});

describe("the path of a tile", () => {
  it.each([
    [0, 0, 256, "tile/0/000"],
    [0, 1234067, 256, "tile/0/x001/x234/067"],
    [1, 273, 17, "tile/1/273.p/17"],
    ["entries", 1000, 1, "tile/entries/x001/000.p/1"],
  ] as const)("is that of tlog-tiles: %s %i %i", (level, index, width, path) => {
    expect(tilePath(level, index, width)).toBe(path);
  });
});
