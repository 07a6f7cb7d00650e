import { describe, expect, it } from "vitest";
import { createRedactor } from "../../../src/events/redaction.ts";
import { hashUserTexts } from "../../../src/gateway/app/prompt-hashes.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";

const redact = createRedactor([]);
const hashesOf = async (...texts: readonly string[]): Promise<readonly string[]> =>
  (await hashUserTexts({ current: texts, earlier: [] }, redact)).current;

describe("the hashes of user texts", () => {
  it("are half a SHA-256 of length and text, in the order of the texts", async () => {
    const [first, second] = [await sha256Hex("5 Hallo"), await sha256Hex("2 🗼")];
    expect(await hashUserTexts({ current: ["🗼"], earlier: ["Hallo", "🗼"] }, redact)).toEqual({
      current: [second.slice(0, 32)],
      earlier: [first.slice(0, 32), second.slice(0, 32)],
    });
  });

  it("are of the redacted text", async () => {
    const secret = "sk-proj-0123456789abcdef";
    expect(await hashesOf(`key ${secret}`)).toEqual([
      (await sha256Hex(`${`key ${secret}`.length} ${redact(`key ${secret}`)}`)).slice(0, 32),
    ]);
    expect(redact(secret)).not.toContain(secret);
  });

  it("differ for texts that differ in length after the recorded part", async () => {
    const long = "a ".repeat(20_000);
    const [one, other] = await hashesOf(long, `${long}forged`);
    expect(one).not.toBe(other);
  });

  // A client chooses the length of its texts: the work for one request is bounded, and the last texts count.
  it("stop at 65,536 characters, from the last text back", async () => {
    const texts = Array.from({ length: 6 }, (_, n) => `${n}`.repeat(16_384));
    expect(await hashesOf(...texts)).toEqual(await hashesOf(...texts.slice(2)));
  });

  it("are none without texts", async () => {
    expect(await hashUserTexts({ current: [], earlier: [] }, redact)).toEqual({ current: [], earlier: [] });
  });
});
