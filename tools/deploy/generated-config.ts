/**
 * The gateway's configuration with its bindings to the records Worker switched on. wrangler.toml keeps them commented out
 * between two markers, so that it deploys alone on an empty account.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");
export const GATEWAY_CONFIG = join(ROOT, "wrangler.toml");
export const RECORDS_CONFIG = join(ROOT, "wrangler.records.toml");
/** Git ignores it. It stands beside wrangler.toml because its paths are relative to it. */
export const GENERATED_CONFIG = join(ROOT, "wrangler.generated.toml");

const BLOCK = /^# >>> records\n(?<block>(?:#.*\n)+?)# <<< records$/m;

/** The text of wrangler.toml with the marked block uncommented. Throws where there is no such block. */
export function withRecordsBindings(text: string): string {
  if (!BLOCK.test(text))
    throw new Error("wrangler.toml has no block between '# >>> records' and '# <<< records'");
  return text.replace(BLOCK, (_, block: string) => block.replace(/^# ?/gm, "").trimEnd());
}

/** Writes the generated configuration and returns its path. */
export function writeGeneratedConfig(): string {
  const text = withRecordsBindings(readFileSync(GATEWAY_CONFIG, "utf8"));
  writeFileSync(
    GENERATED_CONFIG,
    `# Generated from wrangler.toml by tools/deploy/generated-config.ts; do not edit.\n${text}`,
  );
  return GENERATED_CONFIG;
}
