/**
 * The Worker as it would be deployed: wrangler's own production bundle and the parts of its configuration that a plain
 * workerd needs. Built once per state of the sources and kept under `node_modules/.cache`, because each test file runs
 * in a process of its own and wrangler needs seconds.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

export const PROJECT = join(import.meta.dirname, "../../");

const KEPT_MS = 24 * 60 * 60 * 1_000;

export type Bundle = {
  /** The Worker's only module. */
  readonly script: string;
  readonly settings: WorkerSettings;
};

/** The value that the platform binds for `[version_metadata]`. */
const VERSION_METADATA = {
  id: "dc8dcd28-271b-4367-9840-6c244f84cb40",
  tag: "",
  timestamp: "2026-11-23T12:00:00.000Z",
};

/** The settings of wrangler.toml that are used here. */
export type WorkerSettings = {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** With the version metadata, which is a JSON value like a table. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** Names of the Analytics Engine bindings. */
  readonly analytics: readonly string[];
};

/** `readable` keeps names and lines, for profiles; it is not what would be deployed. */
export async function productionBundle(root = PROJECT, readable = false): Promise<Bundle> {
  const cache = join(PROJECT, "node_modules/.cache/worker-bundle");
  const kept = join(cache, `${await hashOfSources(root)}${readable ? "-readable" : ""}`);
  if (!existsSync(kept)) {
    await mkdir(cache, { recursive: true });
    await forgetOld(cache);
    const fresh = await mkdtemp(join(cache, "building-"));
    await build(root, fresh, readable ? ["--no-minify"] : ["--minify"]);
    // Another process may have been faster; its bundle is the same.
    await rename(fresh, kept).catch(() => rm(fresh, { recursive: true, force: true }));
  }
  const settings = JSON.parse(await readFile(join(kept, "settings.json"), "utf8")) as WorkerSettings;
  return { script: join(kept, "index.js"), settings };
}

/** Each edit of a source leaves a bundle behind; none is needed for long. */
async function forgetOld(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs < Date.now() - KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}

async function build(root: string, outdir: string, more: readonly string[]): Promise<void> {
  const wrangler = join(
    createRequire(import.meta.url).resolve("wrangler/package.json"),
    "../bin/wrangler.js",
  );
  const options = ["deploy", "--dry-run", "--outdir", outdir, ...more];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
  await promisify(execFile)(process.execPath, [wrangler, ...options], { cwd: root, env });
  // Imported late: wrangler costs a second to load, and a kept bundle does without.
  const { unstable_readConfig } = await import("wrangler");
  const config = unstable_readConfig({ config: join(root, "wrangler.toml") }, { hideWarnings: true });
  const metadata = config.version_metadata?.binding;
  const settings: WorkerSettings = {
    compatibilityDate: config.compatibility_date ?? "",
    compatibilityFlags: config.compatibility_flags,
    vars: { ...config.vars, ...(metadata ? { [metadata]: VERSION_METADATA } : {}) },
    analytics: config.analytics_engine_datasets.map((dataset: { binding: string }) => dataset.binding),
  };
  await writeFile(join(outdir, "settings.json"), JSON.stringify(settings));
}

async function hashOfSources(root: string): Promise<string> {
  const entries = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
  const sources = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash("sha256");
  const others = ["wrangler.toml", "package-lock.json"].map((name) => join(root, name));
  for (const path of [...sources.toSorted(), ...others]) {
    if (existsSync(path))
      hash
        .update(`${path}\0`)
        .update(await readFile(path))
        .update("\0");
  }
  return hash.digest("hex").slice(0, 24);
}
