/**
 * The configuration of an environment (`--env staging`), derived from the production one. A setting in `[env.staging]`
 * replaces the whole key, as in wrangler. Where wrangler would leave a binding out of the environment, it gets a name of its
 * own here. Routes are never inherited: wrangler's inheritance would move production's routes to the environment.
 */
import type { RawConfig } from "./raw-config.ts";

export type Derivation = {
  readonly config: RawConfig;
  /** `env.staging.kv_namespaces must …`, for each setting that cannot be derived. */
  readonly issues: readonly string[];
};

/** @param scripts The scripts of production and their names in the environment. */
export function deriveEnvironment(
  raw: RawConfig,
  environment: string,
  scripts: ReadonlyMap<string, string>,
): Derivation {
  const { env, ...production } = raw;
  const override = ((env as RawConfig | undefined)?.[environment] ?? {}) as RawConfig;
  const issues: string[] = [];
  const derived = Object.entries(production).flatMap(([key, value]) => {
    if (override[key] !== undefined || NOT_INHERITED.has(key)) return [];
    if (key === "name") return [[key, scriptName(raw, environment)] as const];
    if (COPIED.has(key)) return [[key, value] as const];
    const result = deriveBindings(key, value, { environment, scripts });
    if (typeof result !== "string") return [[key, result] as const];
    issues.push(`env.${environment}.${key} must be set: ${result}`);
    return [];
  });
  return { config: { ...Object.fromEntries(derived), ...override }, issues };
}

/** The script's name in the environment, by wrangler's own rule. */
export function scriptName({ name, env }: RawConfig, environment: string): string {
  const override = (env as Readonly<Record<string, RawConfig>> | undefined)?.[environment]?.["name"];
  return String(override ?? suffixed(name, environment));
}

const suffixed = (name: unknown, environment: string): string => `${name}-${environment}`;

const NOT_INHERITED: ReadonlySet<string> = new Set(["route", "routes"]);

/** Settings that name nothing outside the script. Of every other one, an environment needs its own. */
const COPIED: ReadonlySet<string> = new Set(
  ["$schema", "main", "base_dir", "tsconfig", "rules", "alias", "define", "build", "dev"]
    .concat(["compatibility_date", "compatibility_flags", "compliance_region", "account_id"])
    .concat(["keep_names", "minify", "no_bundle", "find_additional_modules", "preserve_file_names"])
    .concat(["upload_source_maps", "jsx_factory", "jsx_fragment", "send_metrics", "keep_vars", "cache"])
    .concat(["workers_dev", "preview_urls", "logpush", "observability", "limits", "placement", "assets"])
    .concat(["triggers", "migrations", "exports", "dependencies_instrumentation"])
    .concat(["vars", "secrets", "version_metadata", "ai", "browser", "images"]),
);

type Names = { readonly environment: string; readonly scripts: ReadonlyMap<string, string> };

/** @returns the table for the environment, or the reason why it cannot be derived. */
type Derive = (table: RawConfig, names: Names) => RawConfig | string;

const BINDINGS: Readonly<Record<string, Derive>> = {
  analytics_engine_datasets: ({ binding, dataset = binding, ...rest }, { environment }) => ({
    ...rest,
    binding,
    dataset: `${dataset}_${environment.replaceAll("-", "_")}`,
  }),
  d1_databases: (table, names) => {
    const { database_id: _id, preview_database_id: _preview, ...named } = table;
    if (named["database_name"] !== undefined) return withSuffix(named, "database_name", names);
    return `${table["binding"]} has no database_name`;
  },
  r2_buckets: ({ preview_bucket_name: _preview, ...table }, names) =>
    table["bucket_name"] === undefined
      ? `${table["binding"]} has no bucket_name`
      : withSuffix(table, "bucket_name", names),
  kv_namespaces: ({ binding }, { environment }) =>
    `an id cannot be derived. \`npx wrangler kv namespace create ${binding}-${environment}\` prints one`,
  services: (table, names) => withScript(table, "service", names),
  "queues.producers": (table, names) => withSuffix(table, "queue", names),
  "queues.consumers": (table, names) =>
    withSuffix(withSuffix(table, "queue", names), "dead_letter_queue", names),
  "durable_objects.bindings": (table, names) => withScript(table, "script_name", names),
};

const withSuffix = (table: RawConfig, key: string, { environment }: Names): RawConfig =>
  table[key] === undefined ? table : { ...table, [key]: suffixed(table[key], environment) };

/** A Durable Object without `script_name` is the script's own. */
function withScript(table: RawConfig, key: string, { scripts }: Names): RawConfig | string {
  if (table[key] === undefined) return table;
  const script = scripts.get(String(table[key]));
  return script === undefined
    ? `${table["binding"] ?? table["name"]} is bound to the Worker "${table[key]}", which is not deployed here`
    : { ...table, [key]: script };
}

/** @returns the bindings for the environment, or the reason why they cannot be derived. */
function deriveBindings(key: string, value: unknown, names: Names): unknown {
  const derive = BINDINGS[key];
  if (derive !== undefined) return deriveEach(value, (table) => derive(table, names));
  if (Array.isArray(value) || typeof value !== "object" || value === null) return SHARED;
  const groups = Object.entries(value).map(([group, tables]) => {
    const deriveGroup = BINDINGS[`${key}.${group}`] ?? (() => SHARED);
    return [group, deriveEach(tables, (table) => deriveGroup(table, names))] as const;
  });
  return groups.find(([, result]) => typeof result === "string")?.[1] ?? Object.fromEntries(groups);
}

const SHARED = "an environment must not share what it names with production";

function deriveEach(tables: unknown, derive: (table: RawConfig) => RawConfig | string): unknown {
  if (!Array.isArray(tables)) return SHARED;
  const derived = tables.map((table: RawConfig) => derive(table));
  return derived.find((result) => typeof result === "string") ?? derived;
}
