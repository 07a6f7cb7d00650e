/**
 * The configuration of each Worker: the shipped file (wrangler.toml, wrangler.records.toml) with the operator's local file
 * over it. Git ignores the local files, so that an upgrade never conflicts with an operator's settings.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartFailure } from "../local/start-failure.ts";
import { LOCAL_FILES, SHIPPED_FILES, type WorkerFiles } from "./files.ts";
import { readRawConfig, type RawConfig } from "./raw-config.ts";
import { misplacedKeys } from "./wrangler-keys.ts";

export type WorkerKind = keyof WorkerFiles;

export type ReadOptions = {
  /** The gateway without its bindings to the records Worker. */
  readonly gatewayOnly?: boolean;
  /** Ignores the local file. */
  readonly shippedOnly?: boolean;
};

/** @throws StartFailure where a file cannot be read; a syntax error with its line in the file that has it. */
export function readProjectConfig(
  folder: string,
  worker: WorkerKind,
  { gatewayOnly = false, shippedOnly = false }: ReadOptions = {},
): RawConfig {
  const alone = readRawConfig(join(folder, SHIPPED_FILES[worker]));
  const shipped = worker === "records" || gatewayOnly ? alone : readWithRecordsBindings(folder);
  const local = join(folder, LOCAL_FILES[worker]);
  const files = [alone, ...(shippedOnly || !existsSync(local) ? [] : [readRawConfig(local)])];
  const misplaced = files.flatMap((file, n) =>
    misplacedKeys(file).map((issue) => `${(n === 0 ? SHIPPED_FILES : LOCAL_FILES)[worker]}: ${issue}`),
  );
  if (misplaced.length > 0) throw new StartFailure(misplaced.join("\n"));
  return files.slice(1).reduce(withLocalSettings, shipped);
}

/** The names of the variables in the operator's local file. */
export function localVariables(folder: string, worker: WorkerKind): readonly string[] {
  const local = join(folder, LOCAL_FILES[worker]);
  return existsSync(local) ? Object.keys(readRawConfig(local).vars ?? {}) : [];
}

/** The files of a Worker, as an error names them. */
export const sourceOf = (folder: string, worker: WorkerKind): string =>
  existsSync(join(folder, LOCAL_FILES[worker]))
    ? `${SHIPPED_FILES[worker]} with ${LOCAL_FILES[worker]}`
    : SHIPPED_FILES[worker];

/** Tables merge. A list, any other value and each variable replace the shipped ones. */
export const withLocalSettings = (shipped: RawConfig, local: RawConfig): RawConfig => ({
  ...merged(shipped, local),
  ...((shipped.vars ?? local.vars) && { vars: { ...shipped.vars, ...local.vars } }),
});

type Table = Readonly<Record<string, unknown>>;

function merged(shipped: Table, local: Table): Table {
  const values = Object.entries(local).map(([key, value]) => {
    const before = shipped[key];
    return [key, isTable(before) && isTable(value) ? merged(before, value) : value] as const;
  });
  return { ...shipped, ...Object.fromEntries(values) };
}

const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const BLOCK = /^# >>> records\r?\n(?<block>[^]*?)^# <<< records\r?$/m;

/**
 * The text of wrangler.toml with its bindings to the records Worker uncommented. They stand between two markers, so that
 * the file deploys alone on an empty account. Throws where there is no such block.
 */
export function withRecordsBindings(text: string): string {
  if (!BLOCK.test(text))
    throw new StartFailure("wrangler.toml must have a block between '# >>> records' and '# <<< records'.");
  return text.replace(BLOCK, (_, block: string) => block.replace(/^# ?/gm, "").trimEnd());
}

/** Wrangler parses files only. */
function readWithRecordsBindings(folder: string): RawConfig {
  const text = withRecordsBindings(readFileSync(join(folder, SHIPPED_FILES.gateway), "utf8"));
  const directory = mkdtempSync(join(tmpdir(), "wrangler-"));
  try {
    const file = join(directory, SHIPPED_FILES.gateway);
    writeFileSync(file, text, { mode: 0o600 });
    return readRawConfig(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Writes a generated configuration, only if its text changes and as a whole: another command must never read a part of it.
 * It stands beside wrangler.toml because its paths are relative to it.
 */
export function writeConfig(file: string, config: RawConfig, head: string): void {
  const text = `// ${head}\n${JSON.stringify(config, null, 2)}\n`;
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}
