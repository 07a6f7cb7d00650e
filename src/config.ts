/**
 * The environment, checked once: unchecked bindings in, a whole Config out, or everything that is wrong with them. The
 * only reader of `env`. Names and defaults: the README's config table.
 */
import { asList, asTable, Fields, fromJson, type Table } from "./config-fields.ts";
import type { ConfiguredSource, IdentitySource, Problems } from "./identity/identity.ts";
import type { AssertionRules } from "./initiator/owner-assertion.ts";
import type { Dialect, Provider } from "./provider/provider.ts";
import type { DataSet } from "./sinks/analytics-engine.ts";
import { canonicalId } from "./uuid.ts";

export type Limits = {
  /** The largest request body taken, in bytes. */
  readonly bodyBytes: number;
  /** How long the provider may take to send its headers. */
  readonly headersMs: number;
  /** How long an answer may be silent. */
  readonly idleMs: number;
  /** Bytes after which an answer is no longer read beside the client's stream. */
  readonly observeBytes: number;
};

export type Config = {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sources: readonly ConfiguredSource[];
  readonly assertion: AssertionRules;
  readonly limits: Limits;
  readonly interceptions: DataSet | null;
  readonly overrides: DataSet | null;
};

/** One line each, `KEY.path problem`; never a value. */
export type ConfigProblems = { readonly problems: readonly string[] };

/** What there is to configure, by name: from `wiring.ts`. */
export type Catalogue = {
  readonly dialects: readonly Dialect[];
  readonly sources: readonly IdentitySource[];
};

export type Env = Readonly<Record<string, unknown>>;

export const MIB = 1024 * 1024;

export function readConfig(env: Env, catalogue: Catalogue): Config | ConfigProblems {
  const found: string[] = [];
  const problems: Problems = (path, problem) => void found.push(`${path} ${problem}`);
  const sources = readIdentity(env, catalogue.sources, problems);
  const verifies = sources.some((source) => source.verifies);
  const config: Config = {
    providers: readProviders(env, catalogue.dialects, verifies, problems),
    sources,
    assertion: readAssertion(env, problems),
    limits: readLimits(env, problems),
    interceptions: dataSet(env, "INTERCEPTIONS", problems),
    overrides: dataSet(env, "OVERRIDES", problems),
  };
  readRecording(env, problems);
  reportUnread(env, problems);
  return found.length > 0 ? { problems: found } : config;
}

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Names that other routes have, here or in the API under `/api/v2/ai-gateway`. */
const RESERVED = new Set(
  "sessions interceptions overrides usage attribution explain anomalies clients models providers v1 api healthz".split(
    " ",
  ),
);

function readProviders(
  env: Env,
  dialects: readonly Dialect[],
  verifies: boolean,
  problems: Problems,
): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>();
  const table = asTable(env["PROVIDERS"], "PROVIDERS", problems);
  if (table === null) return providers;
  if (Object.keys(table).length === 0) problems("PROVIDERS", "names no provider");
  for (const [name, value] of Object.entries(table)) {
    const path = `PROVIDERS.${name}`;
    if (!NAME.test(name)) problems(path, `is not a name (${NAME.source})`);
    if (RESERVED.has(name)) problems(path, "is a reserved name");
    const settings = asTable(value, path, problems);
    const provider = settings && readProvider(name, new Fields(settings, path, problems), env, dialects);
    if (provider) providers.set(name, provider);
    if (Array.isArray(settings?.["keys"]) && settings["keys"].length > 0 && !verifies) {
      problems(
        `${path}.keys`,
        'needs an IDENTITY source that verifies callers: with "byok" alone anyone could spend these keys',
      );
    }
  }
  return providers;
}

function readProvider(name: string, fields: Fields, env: Env, dialects: readonly Dialect[]): Provider | null {
  const { path, problems } = fields;
  const type = fields.text("type");
  const dialect = dialects.find((one) => one.type === type);
  if (!dialect) problems(`${path}.type`, `is none of ${dialects.map((one) => `"${one.type}"`).join(", ")}`);
  const baseUrl = readBaseUrl(fields, dialect);
  const keys = (fields.texts("keys") ?? []).flatMap((secretName, at) => {
    // Not any text: a key put where its name belongs must not be printed as a name.
    if (SECRET_NAME.test(secretName)) return readKey(env, secretName, problems) ?? [];
    problems(`${path}.keys[${at}]`, `is not the name of a secret (${SECRET_NAME.source})`);
    return [];
  });
  const rest = {
    injectUsage: fields.flag("inject_usage", true),
    coderHeaders: fields.flag("forward_coder_headers", false),
    models: fields.texts("models"),
  };
  fields.done();
  return dialect && baseUrl !== null ? { name, dialect, baseUrl, keys, ...rest } : null;
}

function readBaseUrl(fields: Fields, dialect: Dialect | undefined): string | null {
  const text = fields.text("base_url");
  const wrong = (problem: string): null => {
    fields.problems(`${fields.path}.base_url`, problem);
    return null;
  };
  if (text === null) return wrong("is missing");
  if (isPlaceholder(text) || text.includes("...") || !URL.canParse(text)) return wrong("is not a URL");
  const url = new URL(text);
  const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) return wrong("is not https");
  if (url.username || url.password) return wrong("holds a user name or password");
  if (text.includes("?") || text.includes("#")) return wrong("holds a query or fragment");
  const path = url.pathname.replace(/\/+$/, "");
  if (dialect?.mount === "" && path.endsWith("/v1"))
    return wrong("must not end in /v1: the routes of this type begin with it");
  return `${url.origin}${path}`;
}

function readIdentity(env: Env, known: readonly IdentitySource[], problems: Problems): ConfiguredSource[] {
  const value = env["IDENTITY"] === undefined ? [{ source: "byok" }] : env["IDENTITY"];
  const list = asList(value, "IDENTITY", problems) ?? [];
  if (list.length === 0) problems("IDENTITY", "names no source");
  return list.flatMap((item, at) => {
    const path = `IDENTITY[${at}]`;
    const table = asTable(item, path, problems);
    if (!table) return [];
    const source = known.find((one) => one.source === table["source"]);
    if (!source) {
      problems(`${path}.source`, `is none of ${known.map((one) => `"${one.source}"`).join(", ")}`);
      return [];
    }
    const secret = (name: string): string | null => readSecret(env, name, problems);
    const report: Problems = (key, problem) => problems(`${path}.${key}`, problem);
    return [{ verifies: source.verifies, identify: source.configure(table, secret, report) }];
  });
}

function readAssertion(env: Env, problems: Problems): AssertionRules {
  const fields = new Fields(optional(env, "OWNER_ASSERTION", problems), "OWNER_ASSERTION", problems);
  const allow = fields.oneOf("allow", ["any", "listed", "off"], "any");
  const actors = new Set(fields.texts("actors")?.map(canonicalId));
  if (allow === "any" && actors.size > 0)
    problems("OWNER_ASSERTION.actors", 'counts only with allow = "listed"');
  const onInvalid = fields.oneOf("on_invalid", ["ignore", "reject"], "ignore");
  fields.oneOf("signature", ["off"], "off");
  fields.done();
  return { allow, actors, onInvalid };
}

function readLimits(env: Env, problems: Problems): Limits {
  const fields = new Fields(optional(env, "LIMITS", problems), "LIMITS", problems);
  const limits: Limits = {
    bodyBytes: fields.count("body_bytes", 1, 100 * MIB, 32 * MIB),
    headersMs: fields.count("headers_ms", 1, 3_600_000, 600_000),
    idleMs: fields.count("idle_ms", 1, 3_600_000, 300_000),
    observeBytes: fields.count("observe_bytes", 0, 64 * MIB, 8 * MIB),
  };
  fields.done();
  return limits;
}

/** Nothing to choose yet: content is never recorded, and no sink is required. */
function readRecording(env: Env, problems: Problems): void {
  const table = optional(env, "RECORDING", problems);
  const fields = new Fields(table, "RECORDING", problems);
  for (const key of ["required", "prompts"]) {
    if (fields.flag(key, false)) problems(`RECORDING.${key}`, "can only be false as yet");
  }
  fields.done();
}

function optional(env: Env, name: string, problems: Problems): Table {
  return env[name] === undefined ? {} : (asTable(env[name], name, problems) ?? {});
}

const SECRET_NAME = /^[A-Z][A-Z0-9_]*$/;

/** The secret's value, or null after reporting its name. */
function readSecret(env: Env, name: string, problems: Problems): string | null {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) problems(name, "is missing: a secret that the configuration names");
  else if (typeof value !== "string") problems(name, "is not a text");
  else if (value.trim() === "") problems(name, "is empty");
  else if (isPlaceholder(value)) problems(name, "still holds a placeholder");
  else return value.trim();
  return null;
}

/** A secret that is a provider key: one line of visible ASCII, as it goes into a header. */
function readKey(env: Env, name: string, problems: Problems): string | null {
  const key = readSecret(env, name, problems);
  if (key === null) return null;
  if (!/^[\x21-\x7e]+$/.test(key)) problems(name, "holds blanks or other characters that no key has");
  else if (isExampleKey(key)) problems(name, "still holds a placeholder");
  else return key;
  return null;
}

/** What examples have where a value belongs. */
function isPlaceholder(value: string): boolean {
  return /^(?:<.*>|(?:your|replace|change)[-_ ]?\w+|[\w-]*(?:\.\.\.|…)|x{3,}|todo)$/i.test(value.trim());
}

/** The same for keys, wherever in them it stands. */
function isExampleKey(key: string): boolean {
  return /\.\.\.|(?:^|[-_])(?:your|replace|change)[-_]|x{8}/i.test(key);
}

const TABLES = new Set(["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "RECORDING", "LIMITS"]);

/** A table that nobody reads, under a name that begins as one of ours: a misspelt one, whose rules would not hold. */
function reportUnread(env: Env, problems: Problems): void {
  for (const [name, value] of Object.entries(env)) {
    const near = [...TABLES].some((table) => name.toUpperCase().startsWith(table.slice(0, 4)));
    if (!near || TABLES.has(name) || !isTable(fromJson(value))) continue;
    problems(name, `is unknown (known: ${[...TABLES].join(", ")})`);
  }
}

const isTable = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype);

function dataSet(env: Env, name: string, problems: Problems): DataSet | null {
  const binding = env[name];
  if (binding === undefined || binding === null) return null;
  if (typeof (binding as Partial<DataSet>).writeDataPoint === "function") return binding as DataSet;
  problems(name, "is not an Analytics Engine data set");
  return null;
}
