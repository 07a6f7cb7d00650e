import { describe, expect, it } from "vitest";
import { createStartGate, SecretFound } from "../../../src/gateway/observation/start-gate.ts";
import { createSecretFinder, watchForSecrets } from "../../../src/shared/secret-finder.ts";
import { concat } from "../../../src/shared/bounded-read.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { forSeeds, rechunk } from "../../support/rechunk.ts";

const KEY = "sk-central-0123456789abcdefghijklmnop";
const finder = createSecretFinder([{ name: "OPENAI_KEY", value: KEY }]);
if (finder === null) throw new Error("no secret to find");
const gate = () => createStartGate(watchForSecrets(finder));
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The longest form that JSON allows for a character, within a text that is JSON itself. */
const escaped = (character: string): string => String.raw`\\u00${character.charCodeAt(0).toString(16)}`;

/** The text that has passed after each piece. */
function passedAfterEach(pieces: readonly string[]): string[] {
  const { push } = gate();
  let passed = "";
  return pieces.map((piece) => (passed += text(push(utf8(piece)))));
}

const EVENT = 'data: {"id":"1"}\n\n';

describe("the start of a stream", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["an event", ["data: {", '"id":"1"}\n', "\n"], ["", "", EVENT]],
    [
      "comments before it",
      [": ping\n\n", "event: a\n", EVENT],
      [": ping\n\n", ": ping\n\n", `: ping\n\nevent: a\n${EVENT}`],
    ],
    ["blanks before a slow JSON response", ["\n", " ", '{"id":'], ["\n", "\n ", "\n "]],
    ["one object per line", ['{"id":', '"1"}\n'], ["", '{"id":"1"}\n']],
    ["a list", ['[{"id":', '"1"}', ",\n"], ["", "", '[{"id":"1"},\n']],
    ["each line of JSON", ["[{\n", '  "id"', ': "1"\n}'], ["[{\n", "[{\n", "[{\n"]],
    [
      "the last 160 bytes of JSON",
      [`{"a":"${"x".repeat(200)}`, "y"],
      [`{"a":"${"x".repeat(40)}`, `{"a":"${"x".repeat(41)}`],
    ],
    ["a page", ["<html>"], ["<html>"]],
    ["an event in UTF-16", [[..."data: 1\n"].join("\0"), "\0\n"], ["", [..."data: 1\n\n"].join("\0")]],
  ])("is held until it is whole, and what keeps it alive is not: %s", (_, pieces, passed) => {
    expect(passedAfterEach(pieces)).toEqual(passed);
  });

  it("is passed on once 64 KiB are held", () => {
    const { push, isOpen, held } = gate();
    // An event.
    expect(push(utf8(`data: ${"x".repeat(64 * 1024 - 7)}`))).toHaveLength(0);
    expect([isOpen(), held()]).toEqual([false, 64 * 1024 - 1]);
    expect(push(utf8("x"))).toHaveLength(64 * 1024);
    expect([isOpen(), held()]).toEqual([true, 0]);
    const json = gate();
    expect(json.push(utf8(`{"a":"${"x".repeat(64 * 1024 - 7)}`))).toHaveLength(64 * 1024 - 161);
    expect([json.isOpen(), json.held()]).toEqual([false, 160]);
    expect(json.push(utf8("x"))).toHaveLength(161);
    expect([json.isOpen(), json.held()]).toEqual([true, 0]);
  });

  it("is passed on as soon as it is whole, however many keep-alives precede it", () => {
    const { push } = gate();
    for (let at = 0; at < 200; at += 1) expect(push(utf8(": ping\n\n"))).toHaveLength(8);
    expect([...EVENT].map((one) => push(utf8(one)).byteLength)).toEqual([
      ...Array.from({ length: EVENT.length - 1 }, () => 0),
      EVENT.length,
    ]);
  });

  it("is passed on at the end of each line of JSON, however many pieces preceded it", () => {
    const { push } = gate();
    const line = `{"a":"${"x".repeat(50)}"}`;
    for (let at = 0; at < 100; at += 1) {
      expect(push(utf8(line))).toHaveLength(0);
      expect(push(utf8("\n"))).toHaveLength(line.length + 1);
    }
  });

  it("is the same in any pieces", () => {
    for (const body of [
      `: hi\n\n${EVENT}${EVENT}`,
      `\n \n{"id":"${"é".repeat(300)}"}`,
      `[{"a":1}\n,\n{"a":2}\n]`,
    ]) {
      forSeeds(50, (seed) => {
        const { push, end } = gate();
        const parts = [...rechunk(utf8(body), seed).map((piece) => push(piece)), end()];
        expect(
          text(
            concat(
              parts,
              parts.reduce((sum, part) => sum + part.byteLength, 0),
            ),
          ),
        ).toBe(body);
      });
    }
  });

  it.each([
    ["an event", `: ping\n\nevent: error\ndata: {"message":"bad key ${KEY}"}\n\n`],
    ["an event of two lines", `data: {"message":"bad key ${KEY.slice(0, 12)}\ndata: ${KEY.slice(12)}"}\n\n`],
    ["an object", `{"error":{"message":"bad key ${KEY}"}}`],
    ["a list", `[{\n  "error": {\n    "message": "bad key ${KEY}"\n  }\n}\n]`],
    ["an object with escapes", `{"error":"bad key ${KEY.replaceAll(/./g, escaped)}"}`],
    ["a long object", `{"a":"${"x".repeat(500)}","error":"bad key ${KEY}"}`],
  ])("Finding H3: is never passed on with 16 characters of a key, in any pieces: %s", (_, body) => {
    // The attack: a provider that quotes the central key in a response that succeeds, split so that no piece has the key.
    forSeeds(50, (seed) => {
      const { push, end } = gate();
      let passed = "";
      const run = (): void => {
        for (const piece of rechunk(utf8(body), seed)) passed += text(push(piece));
        passed += text(end());
      };
      expect(run).toThrow(SecretFound);
      expect(body.startsWith(passed)).toBe(true);
      expect(passed.length).toBeLessThanOrEqual(body.indexOf("bad key"));
    });
  });

  it("is examined in work that grows with its bytes, however small the pieces are", () => {
    // The attack: a provider that sends one byte at a time, so that each of them has all before it examined again.
    let examined = 0;
    const watch = watchForSecrets({ ...finder, find: (one) => ((examined += one.length), null) });
    const { push, end } = createStartGate(watch);
    const body = utf8(`{"a":"${"\\n".repeat(20_000)}`);
    for (const byte of body) push(Uint8Array.of(byte));
    end();
    expect(examined).toBeLessThan(4 * body.length);
  });
});
