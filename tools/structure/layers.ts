/**
 * The layers of `src` and the order in which they may import each other: the one source for the import rule
 * (test/structure/import-rule.test.ts) and for the picture in docs/ARCHITECTURE.md.
 */

/** `shared` and `events` are read by both Workers; a Worker's own layers stand in the order of a request. */
export type Part = "shared" | "events" | "gateway" | "records";

export type Layer = {
  /** `shared`, `events`, or a folder or file of a Worker: `gateway/client`. */
  readonly name: string;
  readonly part: Part;
  readonly does: string;
};

const layer = (name: string, does: string): Layer => ({
  name,
  part: name.split("/")[0] as Part,
  does,
});

export const LAYERS: readonly Layer[] = [
  layer(
    "shared",
    "refusals, UUIDs, hex, text, JSON, deadlines, bounded reads, HTTP paths, signed tokens: no product logic",
  ),
  layer(
    "events",
    "the event field table, composition, redaction, the queue's message format: what both Workers speak",
  ),
  layer(
    "gateway/provider",
    "one folder per dialect: routes, keys, error bodies, usage and content of responses",
  ),
  layer("gateway/client", "client detection: a table; a hint, never proof"),
  layer("gateway/identity", "the holder of the credential (the actor): one file per identity source"),
  layer(
    "gateway/initiator",
    "on whose account: owner header, rules, signature, directory, replay cache, delegation, owners of objects",
  ),
  layer("gateway/policy", "which requests are permitted: one file per policy, the first refusal wins"),
  layer("gateway/upstream", "the provider key, the headers, the one fetch"),
  layer("gateway/observation", "bytes in, the same bytes out, and one observation of the response"),
  layer("gateway/sinks", "the recorder and its destinations: log lines, Analytics Engine, the queue"),
  layer("gateway/config", "the gateway's environment, validated once"),
  layer("gateway/app", "the path of a request, top to bottom"),
  layer(
    "gateway/wiring",
    "composition root: the one place that names concrete dialects, sources, policies and sinks",
  ),
  layer("gateway/index", "the gateway's entry: fetch, the routes for the records Worker, Durable Objects"),
  layer(
    "records/rollups",
    "the contribution of an interception to the totals, as SQL: read by ledger and API",
  ),
  layer("records/objects", "budget objects: the accounts of a subject, in a database of its own"),
  layer("records/ledger", "queue consumer, database, archive; cron: orphans, anomalies, retention, seals"),
  layer("records/console", "admin tokens and their scopes; the console's sign-in, sessions and files"),
  layer("records/api", "the API over the ledger, one file per endpoint"),
  layer("records/config", "the records Worker's environment, validated once"),
  layer("records/wiring", "the records Worker's composition root"),
  layer("records/index", "the records Worker's entry: fetch, RPC, queue, cron, Durable Objects"),
];

export const NAMES: readonly string[] = LAYERS.map(({ name }) => name);

/** The layers that every other one may import values of. */
export const COMMON: ReadonlySet<string> = new Set(["shared", "events"]);

/**
 * The layers that compose, and the earlier layers that they may import values (not only types) of. `records/rollups` is read
 * by the two layers that write and read the database, so that they cannot disagree about a total.
 */
export const COMPOSES: Readonly<Record<string, (layer: string) => boolean>> = {
  "records/ledger": (name) => name === "records/rollups",
  "records/api": (name) => name === "records/rollups",
  "gateway/app": (name) => name !== "gateway/config",
  "gateway/wiring": (name) => name !== "gateway/app" && name !== "gateway/config",
  "gateway/index": (name) => ["gateway/config", "gateway/app", "gateway/wiring"].includes(name),
  "records/wiring": (name) => name !== "records/config",
  "records/index": (name) => ["records/config", "records/wiring"].includes(name),
};

/** The packages that a layer may import. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  shared: ["jose", "jose/errors"],
  "gateway/upstream": ["aws4fetch"],
  "gateway/app": ["hono", "hono/tiny", "node:zlib"],
  "gateway/index": ["hono/tiny", "cloudflare:workers"],
  "records/ledger": ["@noble/hashes/sha2.js"],
  "records/api": ["hono"],
  "records/objects": ["cloudflare:workers"],
  "records/index": ["cloudflare:workers"],
};

/** The layer of a file, by its path under `src/`. */
export function layerOf(path: string): string {
  const [part = "", next = ""] = path.split("/");
  if (COMMON.has(part)) return part;
  return `${part}/${next.replace(/\.ts$/, "")}`;
}
