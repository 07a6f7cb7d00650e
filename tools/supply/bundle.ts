/** Reads the output of `npm run build` in `dist/`: the gateway's bundle, and esbuild's metafile with its sources. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "../root.ts";

/** esbuild's metafile, with the fields that are read here. */
type Metafile = {
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }>
  >;
};

export type Built = {
  readonly bytes: number;
  /** With gzip level 9 and no file name or time, so equal bundles have equal sizes. */
  readonly gzipBytes: number;
  /** The first character that is not ASCII: V8 then reads the whole bundle as text of two bytes per character. null: none. */
  readonly wide: string | null;
  /** Each source by its path from the project's root, with its bytes in the bundle. */
  readonly sources: readonly (readonly [path: string, bytes: number])[];
};

export function readBuilt(dist = join(ROOT, "dist")): Built {
  const script = join(dist, "index.js");
  const metafile = join(dist, "meta.json");
  if (!existsSync(script) || !existsSync(metafile))
    throw new Error("There is no bundle; run `npm run build` first.");
  const { outputs } = JSON.parse(readFileSync(metafile, "utf8")) as Metafile;
  const inputs = Object.entries(outputs).find(([path]) => path.endsWith("index.js"))?.[1].inputs ?? {};
  return {
    ...sizeOf(script),
    sources: Object.entries(inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const),
  };
}

export function sizeOf(script: string): Omit<Built, "sources"> {
  const bytes = readFileSync(script);
  const wide = /\P{ASCII}/u.exec(bytes.toString())?.[0] ?? null;
  return { bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length, wide };
}

/** The package that a source belongs to; null for the project's own sources. */
export function packageOf(path: string): string | null {
  const [, name] = /.*(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
  return name ?? null;
}

/** The layer of one of the project's sources: `src/gateway/<layer>`, `src/events` or `src/shared`. */
export function layerOf(path: string): string {
  const depth = path.startsWith("src/gateway/") ? 3 : 2;
  return path.split("/").slice(0, depth).join("/");
}

/** Bytes per package and per layer, largest first, without the bundler's own code. */
export function partsOf({ sources }: Built): (readonly [part: string, bytes: number])[] {
  const parts = new Map<string, number>();
  for (const [path, bytes] of sources) {
    const part = packageOf(path) ?? layerOf(path);
    parts.set(part, (parts.get(part) ?? 0) + bytes);
  }
  return [...parts].filter(([, bytes]) => bytes > 0).toSorted((a, b) => b[1] - a[1]);
}
