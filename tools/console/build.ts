/**
 * Bundles the web console into `dist/console/console`: one script, one stylesheet, an icon and a page that names them. Names
 * have a hash of the content, so that a browser keeps them for ever; only the page itself is fetched again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT } from "../root.ts";
import { packageOf } from "../supply/bundle.ts";

/** The folder that the records Worker serves. Below it, `console` is the path of the page. */
export const ASSETS = join(ROOT, "dist", "console");

const SOURCES = join(ROOT, "console");
const BASE = "/console";

export type ConsoleBuild = {
  readonly files: readonly ConsoleFile[];
  /** The packages whose code is in it. */
  readonly packages: readonly string[];
};

export type ConsoleFile = { readonly name: string; readonly bytes: number; readonly gzipBytes: number };

/**
 * Builds the console.
 * @param assets The folder that gets `console/`; it is replaced as a whole, so that a server never sees a part of it.
 * @returns the files with their sizes, gzipped at level 9, and the packages in them.
 */
export async function buildConsole(assets = ASSETS): Promise<ConsoleBuild> {
  mkdirSync(assets, { recursive: true });
  const next = join(assets, `.next-${process.pid}`);
  rmSync(next, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: [join(SOURCES, "main.tsx"), join(SOURCES, "styles", "main.css")],
    absWorkingDir: ROOT,
    outdir: next,
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    charset: "utf8",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "linked",
    loader: { ".svg": "file" },
    metafile: true,
    logLevel: "warning",
  });
  const names = Object.keys(metafile.outputs).map((path) => basename(path));
  const icon = names.find((name) => name.endsWith(".svg")) ?? "";
  writeFileSync(join(next, "index.html"), page(named(names, ".js"), named(names, ".css"), icon));
  const target = join(assets, "console");
  if (isSame(next, target)) rmSync(next, { recursive: true });
  else replace(target, next);
  const packages = Object.keys(metafile.inputs).flatMap((path) => packageOf(path) ?? []);
  return { files: sizesOf(target), packages: [...new Set(packages)] };
}

const indexOf = (folder: string): string => readFileSync(join(folder, "index.html"), "utf8");

/** The names have digests of the contents, and the page names the files. */
const isSame = (next: string, target: string): boolean =>
  existsSync(join(target, "index.html")) && indexOf(next) === indexOf(target);

/** Two commands can build at the same time. */
function replace(target: string, next: string): void {
  const old = `${next}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(next, target);
  rmSync(old, { recursive: true, force: true });
}

const named = (names: readonly string[], ending: string): string =>
  names.find((name) => name.startsWith("main-") && name.endsWith(ending)) ?? "";

function page(script: string, style: string, icon: string): string {
  return readFileSync(join(SOURCES, "index.html"), "utf8")
    .replace("{{script}}", `${BASE}/${script}`)
    .replace("{{style}}", `${BASE}/${style}`)
    .replace("{{icon}}", `${BASE}/${icon}`);
}

/** The files that a browser fetches: without the texts of licenses. */
function sizesOf(folder: string): readonly ConsoleFile[] {
  return readdirSync(folder)
    .filter((name) => !name.endsWith(".txt"))
    .map((name) => {
      const content = readFileSync(join(folder, name));
      return { name, bytes: content.length, gzipBytes: gzipSync(content, { level: 9 }).length };
    });
}
