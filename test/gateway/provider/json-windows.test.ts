/** The scanner's windows, whose borders may fall at every byte, compared with `JSON.parse` after strict decoding. */
import { describe, expect, it } from "vitest";
import { chatConversation } from "../../../src/gateway/provider/openai/chat-conversation.ts";
import { chatFields } from "../../../src/gateway/provider/openai/request-fields.ts";
import { readConversation } from "../../../src/gateway/provider/conversation.ts";
import { scanObject } from "../../../src/gateway/provider/json-scan.ts";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { readModelCall } from "../../../src/gateway/provider/model-call.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { jsonObject } from "../../support/in-workerd/random-json.ts";
import { accepted, join, utf8 } from "../../support/in-workerd/values.ts";

const SMALLEST = 16;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the bytes are a JSON object. */
function isObject(bytes: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(DECODER.decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

const accepts = (bytes: Uint8Array, windowBytes: number): boolean =>
  scanObject(new JsonSource(bytes, windowBytes), () => undefined) === null;

/** Texts that strings may have, and others that they may not. */
const VALID = [
  "\u007f",
  "\u2028",
  "\ufeff",
  "ü",
  "東",
  "🗼",
  "\\\\",
  '\\"',
  "\\/",
  "\\u0000",
  "\\ud83d",
  "\\uDDFC",
];
const INVALID = ["\\", "\\x", "\\u12g4", "\\u123", "\u0000", "\u001f", "\n", "\t", "\r", '"', "\\\\\\"];
const NOT_UTF8 = ["c0af", "e08080", "eda080", "f0808080", "f4908080", "f5", "e282", "80", "ff"];

const hex = (digits: string): Uint8Array =>
  Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

const CHARACTERS: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ...[...VALID, ...INVALID].map((text) => [JSON.stringify(text), utf8(text)] as const),
  ...NOT_UTF8.map((digits) => [`bytes ${digits}`, hex(digits)] as const),
];

describe("a body that is scanned in windows", () => {
  it.each(CHARACTERS)(
    "is accepted exactly where JSON.parse accepts it, wherever a window ends: %s",
    (_, bytes) => {
      const random = seededRandom(1);
      for (let before = 0; before < 2 * SMALLEST; before += 1) {
        for (const after of ["", "a", "é", '\\"', "a".repeat(2 * SMALLEST)]) {
          const start = between(random, 0, 1) === 0 ? "" : '\\"';
          const body = join([utf8(`{"k":"${start}${"x".repeat(before)}`), bytes, utf8(`${after}"}`)]);
          for (const size of [0, SMALLEST, SMALLEST + 1, 64])
            expect([before, after, size, accepts(body, size)]).toEqual([before, after, size, isObject(body)]);
        }
      }
    },
  );

  it("is accepted exactly where JSON.parse accepts it, in random windows, also truncated at each byte", () => {
    const counts = { accepted: 0, refused: 0 };
    forSeeds(300, (seed) => {
      const random = seededRandom(seed);
      const whole = utf8(jsonObject(random, [["model", '"m"']]));
      for (let length = 0; length <= whole.length; length += 1) {
        const body = whole.subarray(0, length);
        const isAccepted = accepts(body, random() < 0.2 ? 0 : between(random, SMALLEST, 80));
        counts[isAccepted ? "accepted" : "refused"] += 1;
        expect([length, isAccepted]).toEqual([length, isObject(body)]);
      }
    });
    expect(Math.min(counts.accepted, counts.refused)).toBeGreaterThan(250);
  });

  it("is accepted exactly where JSON.parse accepts it, with one byte replaced by each other", () => {
    const whole = utf8('{"a\\u0041":["x\\\\",-1.5e+7,{}, "é🗼\\""],\n\t"b" : true}');
    for (let at = 0; at < whole.length; at += 1)
      for (let byte = 0; byte < 256; byte += 1) {
        const body = whole.slice();
        body[at] = byte;
        expect([at, byte, accepts(body, SMALLEST)]).toEqual([at, byte, isObject(body)]);
      }
  });

  it("may have tabs and line breaks between its strings, and in none", () => {
    const lines = JSON.stringify({ a: ["b", { c: "d\n\t" }], e: "f".repeat(50) }, null, "\t").replaceAll(
      "\n",
      "\r\n",
    );
    expect(accepts(utf8(lines), SMALLEST)).toBe(true);
    expect(accepts(utf8(lines.replace("fff", "f\tf")), SMALLEST)).toBe(false);
  });

  it("may have numbers, literals and blanks that are longer than a window", () => {
    for (const value of [
      `1${"0".repeat(400)}`,
      `-0.${"1".repeat(400)}e+${"0".repeat(400)}1`,
      " ".repeat(400) + "null",
    ])
      expect(accepts(utf8(`{"a":${value}${" \n".repeat(200)}}`), SMALLEST)).toBe(true);
  });

  it("may be nested 256 deep", () => {
    for (const [depth, isAccepted] of [
      [256, true],
      [257, false],
    ] as const)
      expect(accepts(utf8(`${'{"a":'.repeat(depth)}"x"${"}".repeat(depth)}`), SMALLEST)).toBe(isAccepted);
  });

  it("has the same call and conversation in windows of every size", () => {
    const text = 'Where is "it"?\n東京 🗼 \\ ';
    const body = utf8(
      JSON.stringify({
        model: "modèle",
        messages: [
          { role: "system", content: text.repeat(9) },
          {
            role: "user",
            content: [{ type: "text", text: `<system-reminder>${text.repeat(30)}</system-reminder>${text}` }],
          },
          {
            role: "assistant",
            content: null,
            tool_calls: [{ id: "call_1", function: { arguments: '{"a":"b"}' } }],
          },
          { role: "tool", tool_call_id: "call_1_of_a_long_name", content: text.repeat(20) },
          { role: "user", content: text.repeat(25) },
        ],
        user: "someone with a long name",
      }),
    );
    const read = (windowBytes?: number): unknown => {
      const call = accepted(readModelCall(new JsonSource(body, windowBytes), chatFields));
      const conversation = accepted(readConversation(call.body, chatConversation));
      return {
        fields: call.fields,
        members: call.body.members,
        ...conversation,
        texts: conversation.texts(),
      };
    };
    const expected = read();
    expect(expected).toMatchObject({ promptCount: 1, earlierPromptCount: 1 });
    expect(read(0)).toEqual(expected);
    for (let size = SMALLEST; size < body.length + 2; size += 1) expect(read(size)).toEqual(expected);
  });
});
