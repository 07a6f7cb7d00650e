/** What `npm run build` left in `dist/`: the bundle, and esbuild's account of what went into it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { floorOf } from "../house/floors.ts";
import { ROOT } from "./tree.ts";

/** esbuild's metafile, as far as it is used here. */
type Metafile = {
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }>
  >;
};

export type Built = {
  readonly bytes: number;
  /** At gzip's level 9, without names and times: the same bytes give the same number. */
  readonly gzipBytes: number;
  /** Each source by its path from the project's root, with its bytes in the bundle. */
  readonly sources: readonly (readonly [path: string, bytes: number])[];
};

export function readBuilt(dist = join(ROOT, "dist")): Built {
  const script = join(dist, "index.js");
  const account = join(dist, "meta.json");
  if (!existsSync(script) || !existsSync(account))
    throw new Error("There is no bundle; run `npm run build` first.");
  const bytes = readFileSync(script);
  const { outputs } = JSON.parse(readFileSync(account, "utf8")) as Metafile;
  const inputs = Object.entries(outputs).find(([path]) => path.endsWith("index.js"))?.[1].inputs ?? {};
  return {
    bytes: bytes.length,
    gzipBytes: gzipSync(bytes, { level: 9 }).length,
    sources: Object.entries(inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const),
  };
}

/** The package that a source is of; null for our own. */
export function packageOf(path: string): string | null {
  const [, name] = /.*(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
  return name ?? null;
}

/** By package, or by floor. Largest first; the bundler's own glue is not in it. */
export function partsOf({ sources }: Built): (readonly [part: string, bytes: number])[] {
  const parts = new Map<string, number>();
  for (const [path, bytes] of sources) {
    const part = packageOf(path) ?? `src/${floorOf(path.replace(/^src\//, ""))}`;
    parts.set(part, (parts.get(part) ?? 0) + bytes);
  }
  return [...parts].filter(([, bytes]) => bytes > 0).toSorted((a, b) => b[1] - a[1]);
}
