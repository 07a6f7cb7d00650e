import { describe, expect, it } from "vitest";
import { inspectConfig as inspectGateway } from "../../../src/gateway/config/config.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import { inspectConfig as inspectRecords } from "../../../src/records/config/config.ts";
import { CLIENT_KEYS, DATABASE, issuesOf, OPENAI, SERVICE, type Vars } from "./read-config.ts";

const QUEUE_BINDING = new (class Queue {
  send(): void {}
})();

const unread = (vars: Vars): readonly string[] =>
  inspectGateway({ PROVIDERS: { openai: OPENAI }, ...vars }, registry).unread;

const recordsIssues = (vars: Vars): readonly string[] => {
  const { config } = inspectRecords({ LEDGER: DATABASE, ...vars });
  return "issues" in config ? config.issues : [];
};

describe("a name that is not a key", () => {
  it.each<[string, unknown, string]>([
    ["RETENTION_DAY", 30, "RETENTION_DAYS"],
    ["RETENTION", 30, "RETENTION_DAYS"],
    ["RETENTION", "30", "RETENTION_DAYS"],
    ["FORWARD_APIS", false, "FORWARD_API"],
    ["FORWARD_APIS", "false", "FORWARD_API"],
    ["FORWARDAPI", "no", "FORWARD_API"],
    ["forward_api", false, "FORWARD_API"],
    ["FORWARD-API", false, "FORWARD_API"],
    ["PROVIDER", {}, "PROVIDERS"],
    ["RECORDING_OPTIONS", { prompts: true }, "RECORDING"],
    ["OWNER_RULES", '{"allow":"off"}', "OWNER_ASSERTION"],
    ["LIMIT", "{}", "LIMITS"],
    ["EVENT", QUEUE_BINDING, "EVENTS"],
    ["RECORD", SERVICE, "RECORDS"],
    ["OVERIDES", { writeDataPoint: () => undefined, __proto__: SERVICE }, "OVERRIDES"],
  ])("is rejected on the gateway where it is near a known one: %s = %j", (name, value, meant) => {
    expect(issuesOf({ [name]: value })).toEqual([`${name} is not a known key (did you mean ${meant}?)`]);
  });

  it("is rejected on the records Worker where it is near a known one", () => {
    expect(recordsIssues({ RETENTION_DAY: 30 })).toEqual([
      "RETENTION_DAY is not a known key (did you mean RETENTION_DAYS?)",
    ]);
  });

  it("is rejected on the records Worker where only the gateway reads it", () => {
    expect(recordsIssues({ LIMITS: {}, FORWARD_API: true })).toEqual([
      "LIMITS must be set in the gateway (wrangler.toml)",
      "FORWARD_API must be set in the gateway (wrangler.toml)",
    ]);
  });

  // A secret can be set, and forgotten, without a deployment. A leftover must not stop a running gateway.
  it.each<[string, unknown]>([
    ["ADMIN_TOKEN", "a".repeat(64)],
    ["OPENAI_API_KEY", "sk-left-over"],
    ["DELEGATION_KEY_OLD", "left-over"],
    ["OWNER_SIGNING_KEY", "left-over"],
    ["IDENTITY_TOKEN", "left-over"],
    ["CLIENT_KEY", CLIENT_KEYS],
    ["CLIENT_KEYS", CLIENT_KEYS],
    ["GIT_SHA", "f9f909a"],
    ["DEBUG", true],
    ["KEYS", SERVICE],
  ])("is accepted and named as unread where it may be a leftover: %s", (name, value) => {
    expect(issuesOf({ [name]: value })).toEqual([]);
    expect(unread({ [name]: value })).toEqual([name]);
  });

  it("is read where the configuration names it as a secret, even where it resembles a setting", () => {
    const vars = { DELEGATION: { keys: ["RECORDINGS"] }, RECORDINGS: "0123456789".repeat(4) };
    expect(issuesOf(vars)).toEqual([]);
    expect(unread(vars)).toEqual([]);
  });
});
