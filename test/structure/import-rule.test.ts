import { describe, expect, it } from "vitest";
import { floorOf, NAMES } from "../../tools/house/floors.ts";
import { code, importsOf, resolve } from "../../tools/house/imports.ts";
import { CONCRETE, violations, type Sources } from "../../tools/house/rule.ts";

const files = import.meta.glob("../../src/**/*.ts", { query: "?raw", eager: true, import: "default" });

const SOURCES: Sources = Object.fromEntries(
  Object.entries(files).map(([path, text]) => [path.replace("../../src/", ""), text]),
);

describe("the import rule", () => {
  it("holds: each floor stands on those before it, by their types, and on the ground", () => {
    expect(violations(SOURCES)).toEqual([]);
  });

  it("is held against the real sources, all of them", () => {
    expect(Object.keys(SOURCES).length).toBeGreaterThan(40);
    expect(new Set(Object.keys(SOURCES).map(floorOf))).toEqual(new Set(NAMES));
    const imports = Object.values(SOURCES).flatMap((text) => importsOf(text));
    const statements = Object.values(SOURCES).flatMap((text) => code(text).match(/\bfrom\s+"/g) ?? []);
    expect(imports).toHaveLength(statements.length);
    expect(imports.filter(({ isType }) => isType).length).toBeGreaterThan(40);
  });

  it("wiring.ts names every concrete provider, identity source, policy and sink", () => {
    const concrete = Object.keys(SOURCES).filter((path) => CONCRETE.test(SOURCES[path] ?? ""));
    const wired = new Set(
      importsOf(SOURCES["wiring.ts"] ?? "").map(({ from }) => resolve("wiring.ts", from)),
    );
    expect(concrete.length).toBeGreaterThanOrEqual(12);
    expect(concrete.filter((path) => !wired.has(path))).toEqual([]);
  });
});

/** A house of a few rooms, in which only the given file is as the test has it. */
const house = (path: string, text: string): string[] =>
  violations({
    "refusal.ts": "export class Refusal {}",
    "uuid.ts": "",
    "digest.ts": 'import { toHex } from "../worker/uuid.ts";',
    "http/headers.ts": 'import { Refusal } from "../refusal.ts";',
    "provider/provider.ts": "export type Dialect = {};",
    "provider/openai.ts": "export const openai: Dialect = {};",
    "client/client.ts": "",
    "identity/identity.ts": "",
    "policy/policy.ts": "",
    "policy/models.ts": "export const models: Policy = () => null;",
    "sinks/log.ts": "export function logSink(print: (line: string) => void): Sink {}",
    "initiator/shard.ts": "export class Shard implements DurableObject {}",
    "ledger/consume.ts": "",
    "api/admin.ts": "export function adminApi(_: {\n  readonly now: () => number;\n}): AdminApi {}",
    "api/api.ts": "export type AdminApi = {};",
    "config-fields.ts": "",
    "config-providers.ts": 'import { Fields } from "../worker/config-fields.ts";',
    "config.ts": 'import { asTable } from "../worker/config-fields.ts"; export type Env = {};',
    "app.ts": "",
    "wiring.ts": "",
    "index.ts": "",
    [path]: text,
  });

describe("the import rule's own checks", () => {
  it("the house without the change breaks nothing", () => {
    expect(house("uuid.ts", "")).toEqual([]);
  });

  it.each([
    ["its own folder", "provider/x.ts", 'import { a } from "../worker/provider.ts";'],
    [
      "the ground",
      "policy/x.ts",
      'import { Refusal } from "../refusal.ts";\nimport { b } from "../http/headers.ts";',
    ],
    ["an earlier floor's types", "policy/x.ts", 'import type { A } from "../client/client.ts";'],
    ["types by name", "policy/x.ts", 'import { type A, type B } from "../client/client.ts";'],
    [
      "types on several lines",
      "policy/x.ts",
      'import {\n  type A,\n  type B,\n} from "../client/client.ts";',
    ],
    ["what a comment says", "client/x.ts", '// import { a } from "../app.ts";\n/* import "x" */'],
    [
      "app calls the floors",
      "app.ts",
      'import { a } from "./policy/policy.ts";\nimport { Hono } from "hono";',
    ],
    ["jose verifies tokens", "identity/x.ts", 'import { jwtVerify } from "jose";'],
    ["app knows the API", "app.ts", 'import type { AdminApi } from "./api/api.ts";'],
    [
      "wiring names them",
      "wiring.ts",
      'import { openai } from "./provider/openai.ts";\nimport { adminApi } from "./api/admin.ts";',
    ],
    ["wiring hands on what the ledger can", "wiring.ts", 'import { consume } from "./ledger/consume.ts";'],
    [
      "index starts",
      "index.ts",
      'import { a } from "../worker/config.ts";\nimport type { Hono } from "hono";\nlet env: Env;',
    ],
    [
      "index exports Durable Objects",
      "index.ts",
      'import { Shard } from "./initiator/shard.ts";\nexport { Shard };',
    ],
    ["index takes the queue's batches", "index.ts", 'import { consume } from "./ledger/consume.ts";'],
    ["the ledger's types in the config", "config.ts", 'import type { A } from "./ledger/consume.ts";'],
  ])("allow %s", (_, path, text) => {
    expect(house(path, text)).toEqual([]);
  });

  it.each([
    ["a later floor's value", "client/x.ts", 'import { a } from "../policy/policy.ts";'],
    ["a later floor's type", "client/x.ts", 'import type { A } from "../policy/policy.ts";'],
    ["an earlier floor's value", "policy/x.ts", 'import { a } from "../client/client.ts";'],
    ["a value among types", "policy/x.ts", 'import { type A, b } from "../client/client.ts";'],
    ["a value on several lines", "policy/x.ts", 'import {\n  type A,\n  b,\n} from "../client/client.ts";'],
    ["a default import", "policy/x.ts", 'import a from "../client/client.ts";'],
    ["a namespace", "policy/x.ts", 'import * as a from "../client/client.ts";'],
    ["a side effect", "policy/x.ts", 'import "../client/client.ts";'],
    ["a dynamic import", "policy/x.ts", 'const a = await import("../client/client.ts");'],
    ["the ground out of turn", "uuid.ts", 'import { a } from "../worker/digest.ts";'],
    ["the ground on a floor", "http/headers.ts", 'import type { A } from "../client/client.ts";'],
    ["the config on a floor", "config.ts", 'import { a } from "./client/client.ts";'],
    ["the app from the wiring", "app.ts", 'import { a } from "../worker/wiring.ts";'],
    ["the app a concrete policy", "app.ts", 'import { models } from "./policy/models.ts";'],
    ["the app a sink", "app.ts", 'import { logSink } from "./sinks/log.ts";'],
    ["the app the API itself", "app.ts", 'import { adminApi } from "./api/admin.ts";'],
    ["the app the ledger", "app.ts", 'import { consume } from "./ledger/consume.ts";'],
    ["a sink the ledger", "sinks/x.ts", 'import type { A } from "../ledger/consume.ts";'],
    ["the ledger a sink's value", "ledger/x.ts", 'import { logSink } from "../sinks/log.ts";'],
    ["the API the ledger's values", "api/x.ts", 'import { a } from "../ledger/consume.ts";'],
    ["the ledger the API", "ledger/x.ts", 'import type { A } from "../api/api.ts";'],
    ["the entry the API", "index.ts", 'import { adminApi } from "./api/admin.ts";'],
    ["a floor a Durable Object", "policy/x.ts", 'import { Shard } from "../initiator/shard.ts";'],
    ["a re-export of a Durable Object", "index.ts", 'export { Shard } from "./initiator/shard.ts";'],
    ["the entry a sink", "index.ts", 'import { logSink } from "./sinks/log.ts";'],
    ["a part of the config a floor", "config-providers.ts", 'import { a } from "./client/client.ts";'],
    ["the entry a floor's value", "index.ts", 'import { a } from "./client/client.ts";'],
    ["hono on a floor", "http/headers.ts", 'import type { Context } from "hono";'],
    ["jose on another floor", "initiator/x.ts", 'import { jwtVerify } from "jose";'],
    ["a part of jose", "identity/x.ts", 'import { jwtVerify } from "jose/jwt/verify";'],
    ["another package", "app.ts", 'import { z } from "zod";'],
    ["a module of Node's", "digest.ts", 'import { createHash } from "node:crypto";'],
    ["Env on a floor", "client/x.ts", "const a = (env: Env) => env;"],
    ["Env in the app", "app.ts", "type A = Env;"],
    ["Env in another part of the config", "config-providers.ts", "const a = (env: Env) => env;"],
    ["Env in the wiring", "wiring.ts", "const a = (env: Env) => env;"],
    ["Env in the ledger", "ledger/x.ts", "const a = (env: Env) => env;"],
    ["a re-export", "policy/x.ts", 'export { a } from "../worker/policy.ts";'],
    ["a re-export of all", "policy/x.ts", 'export * from "../worker/policy.ts";'],
    ["a barrel", "policy/index.ts", ""],
    ["utils", "utils/text.ts", ""],
    ["a helper", "client/helpers.ts", ""],
    ["an unknown floor", "attic/x.ts", ""],
    ["what is not there", "client/x.ts", 'import { a } from "../worker/nothing.ts";'],
  ])("refuse %s", (_, path, text) => {
    expect(house(path, text)).not.toEqual([]);
  });
});
