/**
 * Portkey's gateway as a peer, bundled for workerd. It records nothing. It is not a dependency of the project: each run
 * installs it into a temporary folder.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { builtinModules, createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type * as Esbuild from "esbuild";
import { startForwarder } from "./forwarders.ts";
import type { Provider } from "./provider.ts";
import { KEY_HEADERS, TRAFFIC_HEADER, type Target } from "./traffic.ts";
import type { ProcessOptions, RunOptions, Variant } from "./variant.ts";

const PACKAGE = "@portkey-ai/gateway@1.15.2";

/** Only ends an installation that hangs. */
const TIMEOUT_MS = 120_000;

/** Portkey needs Node's modules. They have been on by default since 2026-08-04. */
const SETTINGS: RunOptions["settings"] = { compatibilityDate: "2026-10-01", compatibilityFlags: [] };

/** Starts it with the source that `bundlePortkey` returned. */
export function startPortkey(
  source: string,
  provider: Provider,
  options: ProcessOptions = {},
): Promise<Variant> {
  const headers: Target["headers"] = [
    ...KEY_HEADERS,
    ["x-portkey-provider", "openai"],
    ["x-portkey-custom-host", `${provider.url}/v1`],
    ["x-portkey-forward-headers", TRAFFIC_HEADER],
  ];
  const forwarder = { name: "Portkey", module: { source }, settings: SETTINGS, headers, reencodes: true };
  return startForwarder(forwarder, provider, options);
}

/**
 * The package has one file, which starts the gateway's Hono app as a server of Node. `serve` is the last statement that a
 * Worker needs, so its replacement keeps the app and ends the evaluation of the module.
 */
const ENTRY = `import { kept } from "@hono/node-server";
try {
  await import("@portkey-ai/gateway/build/start-server.js");
} catch (error) {
  if (!kept.app) throw error;
}
export default { fetch: (request, env, context) => kept.app.fetch(request, env, context) };`;

/** Replacements of packages that only a server of Node uses. */
const REPLACED: Readonly<Record<string, string>> = {
  "@hono/node-server": `export const kept = {};
export function serve(app) { kept.app = app; throw new Error("served"); }`,
  "@hono/node-ws": `export const createNodeWebSocket = () => ({ injectWebSocket() {}, upgradeWebSocket: () => (c, next) => next() });`,
  ws: `export default class {}`,
  ioredis: `export default class {}`,
};

/**
 * Installs and bundles the package.
 * @returns the source of the Worker.
 * @throws when npm cannot install it.
 */
export async function bundlePortkey(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "portkey-"));
  try {
    await writeFile(join(folder, "package.json"), '{ "private": true }');
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save"];
    await promisify(execFile)("npm", ["install", ...options, PACKAGE], { cwd: folder, timeout: TIMEOUT_MS });
    return await bundle(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundle(folder: string): Promise<string> {
  // wrangler's own, which would bundle it for a deployment.
  const require = createRequire(createRequire(import.meta.url).resolve("wrangler/package.json"));
  const { build } = require("esbuild") as typeof Esbuild;
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: folder },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [replacements, builtins],
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}

const replacements: Esbuild.Plugin = {
  name: "replacements",
  setup({ onResolve, onLoad }) {
    const names = Object.keys(REPLACED).join("|");
    onResolve({ filter: new RegExp(`^(?:${names})$`) }, ({ path }) => ({ path, namespace: "replaced" }));
    onLoad({ filter: /.*/, namespace: "replaced" }, ({ path }) => ({ contents: REPLACED[path] ?? "" }));
  },
};

/** workerd has Node's modules by their names with `node:`, for `import` only. */
const builtins: Esbuild.Plugin = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(?:node:.*|${builtinModules.join("|")})$`);
    onResolve({ filter }, ({ path, kind }) => {
      const module = path.startsWith("node:") ? path : `node:${path}`;
      return kind === "require-call"
        ? { path: module, namespace: "required" }
        : { path: module, external: true };
    });
    onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
      contents: `import all from "${path}"; module.exports = all;`,
    }));
  },
};
