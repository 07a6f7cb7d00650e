/** docs/recipes.md: the `.dev.vars` and wrangler.local.toml of each recipe are valid configurations. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { readConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import type { Env } from "../../src/shared/config/environment.ts";
import { chooseSetup } from "../../tools/local/dev-vars.ts";

const TEXT = readFileSync(fileURLToPath(import.meta.resolve("../../docs/recipes.md")), "utf8");

/** The recipes as pairs of title, with number, and text. */
const RECIPES = TEXT.split(/^## (?=\d)/m)
  .slice(1)
  .map((recipe) => [recipe.slice(0, recipe.indexOf("\n")), recipe] as const);

/** The first group of every match. */
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, group]) => group ?? "");

/** The values that a recipe's reader adds: printed keys and secrets. */
const READER_VALUES: Env = {
  CLIENT_KEYS: "[]",
  OPENAI_API_KEY: "sk-of-the-test",
  DIRECTORY_TOKEN: "LocalAgent-coderagentscoderagents",
  SIGNING_KEY: "0123456789abcdef0123456789abcdef",
  GATEWAY_KEY: "fedcba9876543210fedcba9876543210",
};

const BINDINGS: Env = {
  KEYS: { get: () => null, getWithMetadata: () => null },
  NONCES: { get: () => null, idFromName: () => null },
  BUDGET_OBJECTS: { get: () => null, idFromName: () => null },
};

/** The environment of a Worker with these settings: variables, and the bindings that the text declares. */
function environmentOf(settings: string): Env {
  const folder = mkdtempSync(join(tmpdir(), "recipe-"));
  try {
    const config = join(folder, "wrangler.toml");
    writeFileSync(config, `name = "recipe"\ncompatibility_date = "2026-10-01"\n${settings}`);
    const { vars, kv_namespaces, durable_objects } = unstable_readConfig({ config }, { hideWarnings: true });
    const names = [
      ...kv_namespaces.map(({ binding }: { readonly binding: string }) => binding),
      ...durable_objects.bindings.map(({ name }: { readonly name: string }) => name),
    ];
    expect(names.filter((name) => !(name in BINDINGS))).toEqual([]);
    return { ...vars, ...Object.fromEntries(names.map((name) => [name, BINDINGS[name]])) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The contents that a recipe's commands write into a file. */
const written = (recipe: string, file: string): string[] =>
  matches(recipe, new RegExp(`^cat > ${file.replaceAll(".", "\\.")} <<'?END'?\\n([\\s\\S]*?)^END$`, "gm"));

const issuesOf = (env: Env): readonly string[] => {
  const config = readConfig(env, registry);
  return "issues" in config ? config.issues : [];
};

describe("docs/recipes.md", () => {
  it("links to each of its recipes from its table", () => {
    const linked = matches(TEXT.split("\n## ")[0] ?? "", /\(#(\d[\w-]*)\)/g);
    const anchors = RECIPES.map(([title]) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    expect(linked).toEqual(anchors);
    expect(anchors.length).toBeGreaterThanOrEqual(6);
  });

  it.each(RECIPES)(
    "%s: has a .dev.vars that is valid together with the variables of npm start",
    (_, recipe) => {
      const blocks = written(recipe, ".dev.vars");
      expect(blocks).toHaveLength(1);
      const devVars = parseEnv(
        (blocks[0] ?? "").replace("$SECRET", String(READER_VALUES["SIGNING_KEY"])),
      ) as Record<string, string>;
      const { vars } = chooseSetup({ gateway: devVars, records: {} }, "http://127.0.0.1:8788");
      const bindings = environmentOf(written(recipe, "wrangler.local.toml").join(""));
      const { BUDGET_OBJECTS } = BINDINGS;
      expect(
        issuesOf({ ...READER_VALUES, BUDGET_OBJECTS, ...bindings, ...vars.gateway, ...devVars }),
      ).toEqual([]);
    },
  );

  it.each(RECIPES)(
    "%s: has a wrangler.local.toml that is valid together with providers with keys",
    (_, recipe) => {
      const blocks = matches(recipe, /^```toml\n([\s\S]*?)^```$/gm);
      expect(blocks).toHaveLength(1);
      const settings = environmentOf(blocks[0] ?? "");
      const { IDENTITY, OWNER_ASSERTION, DELEGATION, ...rest } = settings;
      const providers = {
        openai: { type: "openai", base_url: "https://api.openai.com/v1", keys: ["OPENAI_API_KEY"] },
      };
      // The config rejects placeholders, so the test replaces this one.
      const vars = JSON.parse(
        JSON.stringify({ IDENTITY, OWNER_ASSERTION, DELEGATION }).replaceAll("<AUD tag>", "0".repeat(64)),
      ) as Env;
      expect(issuesOf({ ...READER_VALUES, PROVIDERS: providers, ...rest, ...vars })).toEqual([]);
    },
  );
});
