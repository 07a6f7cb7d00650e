/** Reads gateway configs for the tests in this folder. Every issue's text is checked for quoted values. */
import { expect } from "vitest";
import { readConfig, type Config } from "../../../src/gateway/config/config.ts";
import { registry } from "../../../src/gateway/wiring.ts";

export type Vars = Record<string, unknown>;

export const OPENAI = { type: "openai", base_url: "https://api.openai.example/v1" };
export const CLIENT_KEYS = JSON.stringify([{ sha256: "a".repeat(64), actor: "ci-bot", kind: "service" }]);
/** Part of every secret in these tests: no issue may contain it. */
export const CANARY = "CANARY";

/** Bindings with the methods that identify their kind. */
export const QUEUE = { send: () => undefined, sendBatch: () => undefined };
export const DATABASE = { prepare: () => undefined, batch: () => undefined };
export const BUCKET = { put: () => undefined, createMultipartUpload: () => undefined };
export const DATASET = { writeDataPoint: () => undefined };

/** A service binding. Its prototype differs from a table's, as that of the runtime's Fetcher does. */
class Service {
  fetch(): void {}
}
export const SERVICE = new Service();

const withProvider = (vars: Vars): Vars => ({ PROVIDERS: { openai: OPENAI }, ...vars });

/** @throws with the issues of an invalid config. */
export function read(vars: Vars): Config {
  const config = readConfig(withProvider(vars), registry);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

/** Every issue with the config; fails where one quotes a value. */
export function issuesOf(vars: Vars): readonly string[] {
  const config = readConfig(withProvider(vars), registry);
  const issues = "issues" in config ? config.issues : [];
  expect(issues.join("\n")).not.toContain(CANARY);
  return issues;
}

/** The keys with an issue, once each. */
export const keysWithIssues = (vars: Vars): string[] => [
  ...new Set(issuesOf(vars).map((issue) => issue.slice(0, issue.indexOf(" ")))),
];

/** A config whose one provider differs in these keys. */
export const provider = (over: Vars): Vars => ({ PROVIDERS: { openai: { ...OPENAI, ...over } } });
