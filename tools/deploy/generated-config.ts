/**
 * The gateway's configuration with its bindings to the records Worker switched on. wrangler.toml keeps them commented out
 * between two markers, so that it deploys alone on an empty account.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";
import { StartFailure } from "../local/start-failure.ts";
import { FILES } from "./files.ts";

export const GATEWAY_CONFIG = join(ROOT, FILES.gateway);
export const RECORDS_CONFIG = join(ROOT, FILES.records);
/** Git ignores it. It stands beside wrangler.toml because its paths are relative to it. */
const GENERATED_CONFIG = join(ROOT, FILES.generated);

const BLOCK = /^# >>> records\r?\n(?<block>[^]*?)^# <<< records\r?$/m;

/** The text of wrangler.toml with the marked block uncommented. Throws where there is no such block. */
export function withRecordsBindings(text: string): string {
  if (!BLOCK.test(text))
    throw new StartFailure("wrangler.toml must have a block between '# >>> records' and '# <<< records'.");
  return text.replace(BLOCK, (_, block: string) => block.replace(/^# ?/gm, "").trimEnd());
}

/** Writes the generated configuration and returns its path. */
export function writeGeneratedConfig(source = GATEWAY_CONFIG, target = GENERATED_CONFIG): string {
  const text = withRecordsBindings(readFileSync(source, "utf8"));
  const head = "# Generated from wrangler.toml by tools/deploy/generated-config.ts; do not edit.\n";
  return writeIfChanged(target, head + text);
}

/**
 * Replaces a file only if its text changes, and as a whole: a running `npm start` watches the generated configuration, and
 * must never read a part of it.
 */
export function writeIfChanged(target: string, text: string): string {
  if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
    const draft = `${target}.${process.pid}`;
    writeFileSync(draft, text);
    renameSync(draft, target);
  }
  return target;
}
