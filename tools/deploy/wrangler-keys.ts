/**
 * Keys of a configuration that wrangler does not know. Wrangler only warns about them, so a setting that stands above
 * `[vars]` instead of below it would have no effect: `OWNER_ASSERTION` would keep its open default.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";
import type { RawConfig } from "./raw-config.ts";

type Schema = {
  readonly definitions: Readonly<Record<string, { readonly properties?: Readonly<Record<string, unknown>> }>>;
};

function keysOf(definition: string): ReadonlySet<string> {
  const file = join(ROOT, "node_modules", "wrangler", "config-schema.json");
  const { definitions } = JSON.parse(readFileSync(file, "utf8")) as Schema;
  return new Set(Object.keys(definitions[definition]?.properties ?? {}));
}

let known: { readonly top: ReadonlySet<string>; readonly environment: ReadonlySet<string> } | null = null;

/** @returns one sentence for each key that wrangler does not know, of the file and of its environments. */
export function misplacedKeys(config: RawConfig): readonly string[] {
  known ??= { top: keysOf("RawConfig"), environment: keysOf("RawEnvironment") };
  const environments = Object.entries((config["env"] ?? {}) as Readonly<Record<string, object>>);
  return [
    ...unknownKeys(config, known.top, ""),
    ...environments.flatMap(([name, table]) =>
      unknownKeys(table, known?.environment ?? new Set(), `env.${name}.`),
    ),
  ];
}

/** The settings of the Workers are in capitals, those of wrangler are not. */
const unknownKeys = (table: object, keys: ReadonlySet<string>, path: string): readonly string[] =>
  Object.keys(table)
    .filter((key) => !keys.has(key))
    .map((key) =>
      /^[A-Z]/.test(key)
        ? `${key} must stand below [${path}vars].`
        : `${path}${key} is not a setting of wrangler.`,
    );
