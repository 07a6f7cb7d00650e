/** The files that the Deploy to Cloudflare button reads. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");

type Bound = { readonly binding: string };

type Manifest = {
  readonly scripts: Readonly<Record<string, string>>;
  readonly cloudflare: { readonly bindings: Readonly<Record<string, { readonly description: string }>> };
};
const { scripts, cloudflare } = JSON.parse(read("package.json")) as Manifest;

describe("the Deploy to Cloudflare button", () => {
  it.each([".dev.vars.example", ".dev.vars.records.example"])(
    "prompts for no secrets: %s sets no variable, and each template is a valid line",
    (name) => {
      const text = read(name);
      expect(parseEnv(text)).toEqual({});
      const templates = [...text.matchAll(/^# ([A-Z_]+=.*)$/gm)].map(([, line = ""]) => line);
      expect(templates.length).toBeGreaterThan(0);
      expect(Object.keys(parseEnv(templates.join("\n")))).toHaveLength(templates.length);
    },
  );

  it("describes bindings and variables that wrangler.toml has", () => {
    const config = unstable_readConfig({ config: join(ROOT, "wrangler.toml") }, { hideWarnings: true });
    const names = [
      ...Object.keys(config.vars),
      ...config.analytics_engine_datasets.map(({ binding }: Bound) => binding),
    ];
    expect(Object.keys(cloudflare.bindings).toSorted()).toEqual(names.toSorted());
    for (const { description } of Object.values(cloudflare.bindings)) expect(description).toMatch(/\.$/);
  });

  it("deploys with the command that deploys both Workers", () => {
    expect(scripts["deploy"]).toBe("node tools/run.mjs deploy");
  });
});
