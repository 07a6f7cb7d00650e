import { describe, expect, it } from "vitest";
import { canonicalSettings, configVersion } from "../../src/shared/config/version.ts";
import { QUEUE } from "../gateway/config/read-config.ts";
import { TABLE_SECRETS, TABLES } from "../gateway/config/valid-config.ts";

const settingsOf = (env: Record<string, unknown>): string => canonicalSettings((name) => env[name]);
const versionOf = (env: Record<string, unknown>): Promise<string> => configVersion(settingsOf(env));

/** The same settings, with the keys of every table in the opposite order. */
function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe("Finding H8: the version of a configuration", () => {
  it("is 16 hex digits, and those of the SHA-256 that anyone can compute from the settings", async () => {
    // printf %s '[[["PROVIDERS",{"a":{"base_url":"https://h.example","type":"openai"}}]],["EVENTS"]]' | sha256sum
    const env = { PROVIDERS: { a: { type: "openai", base_url: "https://h.example" } }, EVENTS: QUEUE };
    expect(settingsOf(env)).toBe(
      '[[["PROVIDERS",{"a":{"base_url":"https://h.example","type":"openai"}}]],["EVENTS"]]',
    );
    expect(await versionOf(env)).toBe("f0c6a2c20d966359");
  });

  it("does not depend on the order of keys, and on whether tables are JSON strings", async () => {
    const version = await versionOf(TABLES);
    expect(await versionOf(reversed(TABLES) as typeof TABLES)).toBe(version);
    const texts = Object.entries(TABLES).map(([name, table]) => [name, JSON.stringify(table)]);
    expect(await versionOf(Object.fromEntries(texts) as typeof TABLES)).toBe(version);
  });

  it("does not depend on the key of the events' MACs", async () => {
    expect(settingsOf({ ...TABLES, EVENT_MAC_KEY: "CANARY-0123456789-0123456789-abcdefgh" })).toBe(
      settingsOf(TABLES),
    );
  });

  // The attack: a reader of the records who knows the settings tests guesses of a secret by their version.
  it("does not depend on secrets, and on names that nothing reads", async () => {
    const version = await versionOf({ ...TABLES, ...TABLE_SECRETS });
    const changed = Object.keys(TABLE_SECRETS).map((name) => [name, "another-secret-0123456789-0123456789"]);
    expect(await versionOf({ ...TABLES, ...Object.fromEntries(changed) })).toBe(version);
    expect(await versionOf(TABLES)).toBe(version);
    expect(await versionOf({ ...TABLES, LEFTOVER: "sk-0123456789abcdef" })).toBe(version);
    const text = settingsOf({ ...TABLES, ...TABLE_SECRETS });
    for (const secret of Object.values(TABLE_SECRETS)) expect(text).not.toContain(secret);
  });

  it("does not depend on the version of the Worker, which each deployment changes", async () => {
    const [a, b] = ["a", "b"].map((id) => versionOf({ ...TABLES, CF_VERSION_METADATA: { id } }));
    expect(await a).toBe(await b);
  });

  it.each<readonly [string, Record<string, unknown>]>([
    ["a setting", { RECORDING: { prompts: true } }],
    ["the order of identity sources", { IDENTITY: [{ source: "byok" }, { source: "keys" }] }],
    ["the name of a secret", { PROVIDERS: { ...TABLES.PROVIDERS, x: { keys: ["OTHER"] } } }],
    ["a setting that is removed", { LIMITS: undefined }],
    ["a flag", { FORWARD_API: false }],
    ["a binding", { EVENTS: QUEUE }],
  ])("changes with %s", async (_, change) => {
    const version = await versionOf(TABLES);
    expect(await versionOf({ ...TABLES, ...change })).not.toBe(version);
  });
});
