/**
 * The gateway's bundle uses nothing of Node's except `node:zlib`. The compatibility date brings Node's globals and modules
 * along (wrangler.toml says why they stay), so a use of them would work and go unnoticed.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { productionBundle } from "../support/bundle.ts";

const ALLOWED: ReadonlySet<string> = new Set(["node:zlib"]);

/** Node's globals that workerd provides, and CommonJS. https://developers.cloudflare.com/workers/runtime-apis/nodejs/ */
const GLOBALS =
  /(?<![.\w$"'`-])(?:Buffer|process|global|setImmediate|clearImmediate|__dirname|__filename)(?![\w$"'`-]|\s*:)/g;
const MODULES = /(?<![.\w$])(?:from|import|require|getBuiltinModule)\s*\(?\s*["'`]([^"'`]+)["'`]/g;
/** Names of Node's modules that can be imported without the prefix. */
const BARE =
  /^(?:assert|async_hooks|buffer|crypto|events|fs|net|os|path|process|stream|timers|url|util|zlib)(?:\/|$)/;

/** The uses of Node's in a script without comments, as they stand there. */
function nodeApis(script: string): string[] {
  const modules = Array.from(script.matchAll(MODULES), ([, name = ""]) => name);
  return [
    ...(script.match(GLOBALS) ?? []),
    ...modules.filter((name) => (name.startsWith("node:") || BARE.test(name)) && !ALLOWED.has(name)),
  ];
}

describe("the gateway's bundle", () => {
  it("uses no module and no global of Node's except node:zlib", async () => {
    const { script } = await productionBundle();
    expect(nodeApis(await readFile(script, "utf8"))).toEqual([]);
  });

  it.each([
    ["Buffer.from(e)", "Buffer"],
    ["typeof process<`u`", "process"],
    ["let t=process.env.NODE_ENV", "process"],
    ["globalThis.x=global.y", "global"],
    ["setImmediate(()=>t())", "setImmediate"],
    ['import{Readable as e}from"node:stream";', "node:stream"],
    ['import"node:process";', "node:process"],
    ['await import("node:crypto")', "node:crypto"],
    ["const t=require(`fs`)", "fs"],
    ['import t from"util/types"', "util/types"],
  ])("would fail on %s", (script, found) => {
    expect(nodeApis(script)).toContain(found);
  });

  it.each([
    'import{gunzip}from"node:zlib";',
    "await import(`node:zlib`)",
    "e.process(t)",
    'r==="process"',
    "{process:1}",
  ])("would not fail on %s", (script) => {
    expect(nodeApis(script)).toEqual([]);
  });
});
