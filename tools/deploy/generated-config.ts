/**
 * The gateway's configuration with its bindings to the records Worker switched on. wrangler.toml keeps them commented out
 * between two markers, so that it deploys alone on an empty account.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";
import { StartFailure } from "../local/start-failure.ts";

export const GATEWAY_CONFIG = join(ROOT, "wrangler.toml");
export const RECORDS_CONFIG = join(ROOT, "wrangler.records.toml");
/** Git ignores it. It stands beside wrangler.toml because its paths are relative to it. */
const GENERATED_CONFIG = join(ROOT, "wrangler.generated.toml");

const BLOCK = /^# >>> records\r?\n(?<block>[^]*?)^# <<< records\r?$/m;

/** The text of wrangler.toml with the marked block uncommented. Throws where there is no such block. */
export function withRecordsBindings(text: string): string {
  if (!BLOCK.test(text))
    throw new StartFailure("wrangler.toml must have a block between '# >>> records' and '# <<< records'.");
  return text.replace(BLOCK, (_, block: string) => block.replace(/^# ?/gm, "").trimEnd());
}

/**
 * Writes the generated configuration and returns its path. A running `npm start` watches the file: it is replaced only if
 * its text changes, and as a whole, so that wrangler never reads a part of it.
 */
export function writeGeneratedConfig(source = GATEWAY_CONFIG, target = GENERATED_CONFIG): string {
  const text = withRecordsBindings(readFileSync(source, "utf8"));
  const generated = `# Generated from wrangler.toml by tools/deploy/generated-config.ts; do not edit.\n${text}`;
  if (!existsSync(target) || readFileSync(target, "utf8") !== generated) {
    const draft = `${target}.${process.pid}`;
    writeFileSync(draft, generated);
    renameSync(draft, target);
  }
  return target;
}
