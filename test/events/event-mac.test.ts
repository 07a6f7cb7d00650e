import { describe, expect, it, vi, afterEach } from "vitest";
import { createSign, createVerify, MAC_LENGTH, macKeyId } from "../../src/events/event-mac.ts";
import { FOREIGN_KEY, KEY, NEXT_KEY } from "../support/in-workerd/mac-keys.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const TEXT = '[{"record_type":"refusal"}]';
const encoder = new TextEncoder();

const bytesOf = (base64url: string): Uint8Array =>
  Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));

describe("a MAC", () => {
  it("is HMAC-SHA256 over label, purpose, key id and text, behind the key id", async () => {
    const mac = await createSign(KEY)("message/1", TEXT);
    expect(mac).toMatch(/^[0-9a-f]{8}\.[\w-]{43}$/);
    expect(mac).toHaveLength(MAC_LENGTH);
    const [keyId = "", encoded = ""] = mac.split(".");
    expect(keyId).toBe(await macKeyId(KEY));
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", encoder.encode(KEY), algorithm, false, ["sign"]);
    const input = `ai-edge-interceptor event mac\nmessage/1\n${keyId}\n${TEXT}`;
    const expected = await crypto.subtle.sign("HMAC", key, encoder.encode(input));
    expect(bytesOf(encoded)).toEqual(new Uint8Array(expected));
  });

  it("has a key id that is a hash of the key with a label: 8 hex digits", async () => {
    const digest = await crypto.subtle.digest(
      "SHA-256",
      encoder.encode(`ai-edge-interceptor event key id\n${KEY}`),
    );
    const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(await macKeyId(KEY)).toBe(hex.slice(0, 8));
  });

  it("is valid by either of two keys, during a rotation", async () => {
    const verify = createVerify([NEXT_KEY, KEY]);
    for (const key of [KEY, NEXT_KEY]) {
      const mac = await createSign(key)("message/1", TEXT);
      const keyId = await macKeyId(key);
      expect(await verify({ mac, purpose: "message/1", text: TEXT })).toEqual({ isValid: true, keyId });
    }
  });

  it("imports each key once, for any number of calls", async () => {
    const imported = vi.spyOn(crypto.subtle, "importKey");
    const sign = createSign(KEY);
    const verify = createVerify([KEY, NEXT_KEY]);
    for (let n = 0; n < 5; n += 1) {
      const mac = await sign("lines", `${n}`);
      expect(await verify({ mac, purpose: "lines", text: `${n}` })).toMatchObject({ isValid: true });
    }
    expect(imported).toHaveBeenCalledTimes(3);
  });
});

const presented = async (key = KEY) => ({
  mac: await createSign(key)("message/1", TEXT),
  purpose: "message/1" as const,
  text: TEXT,
});

describe("verifying rejects", () => {
  const verify = createVerify([KEY]);

  // The attack: one character of the events changes.
  it("a text that differs in one character", async () => {
    const { mac, purpose } = await presented();
    for (let at = 0; at < TEXT.length; at += 1) {
      const text = `${TEXT.slice(0, at)}X${TEXT.slice(at + 1)}`;
      expect(await verify({ mac, purpose, text })).toMatchObject({ isValid: false, reason: "wrong" });
    }
  });

  // The attack: a MAC of log lines, or of another version, is presented for a message.
  it.each(["fallback", "lines", "message/2"] as const)("a MAC for another purpose: %s", async (purpose) => {
    const mac = await createSign(KEY)(purpose, TEXT);
    expect(await verify({ mac, purpose: "message/1", text: TEXT })).toMatchObject({ reason: "wrong" });
  });

  it("a MAC by a key that is not configured, and names it", async () => {
    const keyId = await macKeyId(FOREIGN_KEY);
    const result = { isValid: false, reason: "unknown_key", keyId };
    expect(await verify(await presented(FOREIGN_KEY))).toEqual(result);
  });

  // The attack: the attacker's own MAC under the gateway's key id, which every message shows.
  it("a MAC by another key under the id of the configured one", async () => {
    const { mac, ...rest } = await presented(FOREIGN_KEY);
    const keyId = await macKeyId(KEY);
    const result = await verify({ ...rest, mac: keyId + mac.slice(8) });
    expect(result).toEqual({ isValid: false, reason: "wrong", keyId });
  });

  // The attack: a MAC of fewer bytes, which can be guessed.
  it.each([0, 1, 8, 9, 10, 12, 31, 51])("a MAC truncated to %d characters", async (length) => {
    const { mac, ...rest } = await presented();
    expect(await verify({ ...rest, mac: mac.slice(0, length) })).toMatchObject({ isValid: false });
  });

  it.each(["", ".", "0".repeat(52), `${"0".repeat(8)}.`, `${"é".repeat(8)}.${"A".repeat(43)}`])(
    "a text that is no MAC: %j",
    async (mac) => {
      expect(await verify({ ...(await presented()), mac })).toMatchObject({ isValid: false });
    },
  );

  it("each of the MAC's characters in another value, except the two unused bits at its end", async () => {
    const { mac, ...rest } = await presented();
    for (let at = 0; at < mac.length - 1; at += 1) {
      const other = mac[at] === "0" ? "1" : "0";
      const changed = mac.slice(0, at) + other + mac.slice(at + 1);
      expect(await verify({ ...rest, mac: changed })).toMatchObject({ isValid: false });
    }
  });
});
