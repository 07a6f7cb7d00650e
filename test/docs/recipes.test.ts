/** docs/recipes.md: what it says to write into `.dev.vars` or wrangler.toml is a configuration that holds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { readConfig, type Env } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { chooseSetup } from "../../tools/local/dev-vars.ts";

const TEXT = readFileSync(fileURLToPath(import.meta.resolve("../../docs/recipes.md")), "utf8");

/** By its number and title. */
const RECIPES = TEXT.split(/^## (?=\d)/m)
  .slice(1)
  .map((recipe) => [recipe.slice(0, recipe.indexOf("\n")), recipe] as const);

const found = (text: string, form: RegExp): string[] =>
  [...text.matchAll(form)].map(([, part]) => part ?? "");

/** What a recipe leaves to whoever follows it: keys that were printed, secrets, bindings. */
const GIVEN: Env = {
  CLIENT_KEYS: "[]",
  OPENAI_API_KEY: "sk-of-the-test",
  DIRECTORY_TOKEN: "LocalAgent-coderagentscoderagents",
  SIGNING_KEY: "0123456789abcdef0123456789abcdef",
  GATEWAY_KEY: "fedcba9876543210fedcba9876543210",
  KEYS: { get: () => null, getWithMetadata: () => null },
  NONCES: { get: () => null, idFromName: () => null },
};

const problemsOf = (env: Env): readonly string[] => {
  const read = readConfig(env, registry);
  return "issues" in read ? read.issues : [];
};

describe("docs/recipes.md", () => {
  it("has the recipes that its table names", () => {
    const linked = found(TEXT.split("\n## ")[0] ?? "", /\(#(\d[\w-]*)\)/g);
    const anchors = RECIPES.map(([title]) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    expect(linked).toEqual(anchors);
    expect(anchors.length).toBeGreaterThanOrEqual(6);
  });

  it.each(RECIPES)("%s: its .dev.vars is a good configuration beside npm start's", (_, recipe) => {
    const written = found(recipe, /^cat > \.dev\.vars <<'?END'?\n([\s\S]*?)^END$/gm);
    expect(written).toHaveLength(1);
    const own = parseEnv((written[0] ?? "").replace("$SECRET", String(GIVEN["SIGNING_KEY"]))) as Record<
      string,
      string
    >;
    const { vars } = chooseSetup(own, "http://127.0.0.1:8788");
    expect(problemsOf({ ...GIVEN, ...vars, ...own })).toEqual([]);
  });

  it.each(RECIPES)(
    "%s: its wrangler.toml is a good configuration beside providers with keys",
    (_, recipe) => {
      const written = found(recipe, /^```toml\n([\s\S]*?)^```$/gm);
      expect(written).toHaveLength(1);
      const folder = mkdtempSync(join(tmpdir(), "recipe-"));
      try {
        const config = join(folder, "wrangler.toml");
        writeFileSync(config, `name = "recipe"\ncompatibility_date = "2026-10-01"\n${written[0]}`);
        const { vars } = unstable_readConfig({ config }, { hideWarnings: true });
        const providers = {
          openai: { type: "openai", base_url: "https://api.openai.com/v1", keys: ["OPENAI_API_KEY"] },
        };
        // A placeholder is refused, which is what it is for.
        const env = JSON.parse(JSON.stringify(vars).replaceAll("<AUD tag>", "0".repeat(64))) as Env;
        expect(problemsOf({ ...GIVEN, PROVIDERS: providers, ...env })).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
