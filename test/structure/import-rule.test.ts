import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { code, importsOf, resolve } from "../../tools/structure/imports.ts";
import { layerOf, NAMES } from "../../tools/structure/layers.ts";
import { CONCRETE, violations, type Sources } from "../../tools/structure/rule.ts";

const SRC = join(import.meta.dirname, "../../src");

const SOURCES: Sources = Object.fromEntries(
  readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [path.replaceAll("\\", "/"), readFileSync(join(SRC, path), "utf8")]),
);

describe("the import rule", () => {
  it("holds for every source: values from its own layer, shared and events; types from earlier layers", () => {
    expect(violations(SOURCES)).toEqual([]);
  });

  it("reads every source, every layer and every import", () => {
    expect(Object.keys(SOURCES).length).toBeGreaterThan(100);
    expect(new Set(Object.keys(SOURCES).map(layerOf))).toEqual(new Set(NAMES));
    const imports = Object.values(SOURCES).flatMap((text) => importsOf(text));
    const statements = Object.values(SOURCES).flatMap(
      (text) => code(text).match(/\bfrom\s+"|\bimport\s*\(\s*"/g) ?? [],
    );
    expect(imports).toHaveLength(statements.length);
    expect(imports.filter(({ isType }) => isType).length).toBeGreaterThan(40);
  });

  it("finds every concrete dialect, identity source, policy and sink in the gateway's wiring", () => {
    const concrete = Object.keys(SOURCES).filter((path) => CONCRETE.test(SOURCES[path] ?? ""));
    const wiring = "gateway/wiring.ts";
    const wired = new Set(importsOf(SOURCES[wiring] ?? "").map(({ from }) => resolve(wiring, from)));
    expect(concrete.length).toBeGreaterThanOrEqual(12);
    expect(concrete.filter((path) => !wired.has(path))).toEqual([]);
  });
});

/** A small tree that keeps the rule, with one file replaced. */
const tree = (path: string, text: string): string[] =>
  violations({
    "shared/refusal.ts": "export class Refusal {}",
    "shared/config/fields.ts": "export class Fields {}",
    "shared/config/environment.ts": 'import { Fields } from "./fields.ts"; export type Env = {};',
    "events/fields.ts": 'import { Refusal } from "../shared/refusal.ts";',
    "gateway/provider/provider.ts": "export type Dialect = {};",
    "gateway/provider/openai/dialect.ts": "export const openai: Dialect = {};",
    "gateway/client/client.ts": "",
    "gateway/identity/identity.ts": "",
    "gateway/initiator/shard.ts": "export class Shard implements DurableObject {}",
    "gateway/policy/policy.ts": "",
    "gateway/policy/models.ts": "export const models: Policy = () => null;",
    "gateway/sinks/recorder.ts": "",
    "gateway/sinks/log.ts": "export function logSink(print: (line: string) => void): Sink {}",
    "gateway/config/config.ts": 'import type { Env } from "../../shared/config/environment.ts";',
    "gateway/app/app.ts": "",
    "gateway/wiring.ts": "",
    "gateway/index.ts": "",
    "records/ledger/tables.ts": "",
    "records/api/api.ts": "",
    "records/config/config.ts": "",
    "records/wiring.ts": "",
    "records/index.ts": "",
    [path]: text,
  });

describe("the import rule's own checks", () => {
  it("accept the tree without a change", () => {
    expect(tree("shared/refusal.ts", "")).toEqual([]);
  });

  it.each([
    ["its own folder", "gateway/provider/x.ts", 'import { a } from "./provider.ts";'],
    ["values of shared", "gateway/policy/x.ts", 'import { Refusal } from "../../shared/refusal.ts";'],
    ["values of events", "gateway/policy/x.ts", 'import { a } from "../../events/fields.ts";'],
    ["an earlier layer's types", "gateway/policy/x.ts", 'import type { A } from "../client/client.ts";'],
    ["types by name", "gateway/policy/x.ts", 'import { type A, type B } from "../client/client.ts";'],
    [
      "types on several lines",
      "gateway/policy/x.ts",
      'import {\n  type A,\n  type B,\n} from "../client/client.ts";',
    ],
    [
      "an import in a comment",
      "gateway/client/x.ts",
      '// import { a } from "../app/app.ts";\n/* import "x" */',
    ],
    [
      "app to call the layers, and Hono",
      "gateway/app/x.ts",
      'import { a } from "../policy/policy.ts";\nimport { b } from "../sinks/recorder.ts";\nimport { Hono } from "hono/tiny";',
    ],
    ["shared to use jose", "shared/tokens/x.ts", 'import { jwtVerify } from "jose";'],
    [
      "wiring to name a dialect and a sink",
      "gateway/wiring.ts",
      'import { openai } from "./provider/openai/dialect.ts";\nimport { logSink } from "./sinks/log.ts";',
    ],
    [
      "the entry to read env and the config",
      "gateway/index.ts",
      'import { a } from "./config/config.ts";\nimport type { Hono } from "hono/tiny";\nlet env: Env;',
    ],
    [
      "the entry to export a Durable Object",
      "gateway/index.ts",
      'import { Shard } from "./initiator/shard.ts";\nexport { Shard };',
    ],
    ["the API to use Hono", "records/api/x.ts", 'import { Hono } from "hono";'],
    ["the API the ledger's types", "records/api/x.ts", 'import type { A } from "../ledger/tables.ts";'],
    [
      "the records Worker's wiring to compose",
      "records/wiring.ts",
      'import { a } from "./ledger/tables.ts";\nimport { b } from "./api/api.ts";',
    ],
  ])("allow %s", (_, path, text) => {
    expect(tree(path, text)).toEqual([]);
  });

  it.each([
    ["a later layer's value", "gateway/client/x.ts", 'import { a } from "../policy/policy.ts";'],
    ["a later layer's type", "gateway/client/x.ts", 'import type { A } from "../policy/policy.ts";'],
    ["an earlier layer's value", "gateway/policy/x.ts", 'import { a } from "../client/client.ts";'],
    ["a value among types", "gateway/policy/x.ts", 'import { type A, b } from "../client/client.ts";'],
    [
      "a value on several lines",
      "gateway/policy/x.ts",
      'import {\n  type A,\n  b,\n} from "../client/client.ts";',
    ],
    ["a default import", "gateway/policy/x.ts", 'import a from "../client/client.ts";'],
    ["a namespace", "gateway/policy/x.ts", 'import * as a from "../client/client.ts";'],
    ["a side effect", "gateway/policy/x.ts", 'import "../client/client.ts";'],
    ["a dynamic import", "gateway/policy/x.ts", 'const a = await import("../client/client.ts");'],
    ["shared to import events", "shared/x.ts", 'import { a } from "../events/fields.ts";'],
    [
      "shared to import a Worker's type",
      "shared/x.ts",
      'import type { A } from "../gateway/client/client.ts";',
    ],
    [
      "events to import a Worker's type",
      "events/x.ts",
      'import type { A } from "../gateway/client/client.ts";',
    ],
    [
      "the gateway to import the records Worker",
      "gateway/app/x.ts",
      'import { a } from "../../records/api/api.ts";',
    ],
    ["a type of it", "gateway/app/x.ts", 'import type { A } from "../../records/api/api.ts";'],
    [
      "the records Worker to import the gateway",
      "records/api/x.ts",
      'import type { A } from "../../gateway/app/app.ts";',
    ],
    ["the config a layer's value", "gateway/config/config.ts", 'import { a } from "../client/client.ts";'],
    ["the app to import the wiring", "gateway/app/x.ts", 'import { a } from "../wiring.ts";'],
    ["the app to name a policy", "gateway/app/x.ts", 'import { models } from "../policy/models.ts";'],
    ["the app to name a sink", "gateway/app/x.ts", 'import { logSink } from "../sinks/log.ts";'],
    ["the app to import the config's values", "gateway/app/x.ts", 'import { a } from "../config/config.ts";'],
    ["the API the ledger's values", "records/api/x.ts", 'import { a } from "../ledger/tables.ts";'],
    ["the ledger to import the API", "records/ledger/x.ts", 'import type { A } from "../api/api.ts";'],
    ["the entry to import a sink", "gateway/index.ts", 'import { logSink } from "./sinks/log.ts";'],
    [
      "a layer to import a Durable Object",
      "gateway/policy/x.ts",
      'import { Shard } from "../initiator/shard.ts";',
    ],
    ["a re-export", "gateway/index.ts", 'export { Shard } from "./initiator/shard.ts";'],
    ["a re-export of everything", "gateway/policy/x.ts", 'export * from "./policy.ts";'],
    ["Hono in a layer", "gateway/upstream/x.ts", 'import type { Context } from "hono";'],
    ["jose in another layer", "gateway/initiator/x.ts", 'import { jwtVerify } from "jose";'],
    ["a part of jose", "shared/tokens/x.ts", 'import { jwtVerify } from "jose/jwt/verify";'],
    ["another package", "gateway/app/x.ts", 'import { z } from "zod";'],
    ["a module of Node's", "shared/x.ts", 'import { createHash } from "node:crypto";'],
    ["env in a layer", "gateway/client/x.ts", "const a = (env: Env) => env;"],
    ["env in the app", "gateway/app/x.ts", "type A = Env;"],
    ["env in another part of the config", "gateway/config/x.ts", "const a = (env: Env) => env;"],
    ["env in the wiring", "records/wiring.ts", "const a = (env: Env) => env;"],
    ["a barrel", "gateway/policy/index.ts", ""],
    ["utils", "shared/utils/text.ts", ""],
    ["a helper", "gateway/client/helpers.ts", ""],
    ["an unknown layer", "gateway/attic/x.ts", ""],
    ["a missing file", "gateway/client/x.ts", 'import { a } from "./nothing.ts";'],
  ])("refuse %s", (_, path, text) => {
    expect(tree(path, text)).not.toEqual([]);
  });
});
