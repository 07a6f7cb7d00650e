/**
 * The environment, checked once: unchecked bindings in, a whole Config out, or everything that is wrong with them. The
 * only reader of `env`. Names and defaults: docs/reference.md.
 */
import { readAssertion, readDelegation, type VerifierOptions } from "./owner-assertion.ts";
import { asList, asTable, Fields, fromJson, isPlaceholder, type Table } from "../../shared/config-fields.ts";
import { readProviders } from "./providers.ts";
import type { ConfiguredSource, IdentitySource, ReportIssue, SourceDeps } from "../identity/identity.ts";
import type { DelegationRules } from "../initiator/delegation.ts";
import type { AssertionRules } from "../initiator/rules.ts";
import type { ContentOptions } from "../provider/response-reader.ts";
import type { Dialect, Provider } from "../provider/provider.ts";
import type { Dataset } from "../sinks/analytics-engine.ts";

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
  readonly witnesses: VerifierOptions;
  /** null: nobody delegates. */
  readonly delegation: DelegationRules | null;
  readonly limits: Limits;
  readonly recording: RecordingOptions;
  readonly interceptions: Dataset | null;
  readonly overrides: Dataset | null;
  readonly ledger: LedgerBindings;
  /** SHA-256 of the token that may ask the API, 64 hex digits; null: nobody may. */
  readonly adminTokenSha256: string | null;
};

/** What is recorded of what was said, and whether anything is forwarded unrecorded. */
export type RecordingOptions = {
  readonly required: boolean;
  readonly prompts: boolean;
  readonly content: ContentOptions;
  /** Further forms of secrets to take out of content. */
  readonly patterns: readonly RegExp[];
};

/** Where the exact record is kept: each is optional. */
export type LedgerBindings = {
  readonly queue: Queue | null;
  readonly database: D1Database | null;
  readonly archive: R2Bucket | null;
  /** After so many days the database forgets; 0: never. */
  readonly retentionDays: number;
};

/** One line each, `KEY.path problem`; never a value. */
export type ConfigIssues = { readonly issues: readonly string[] };

/** What there is to configure, by name: from `wiring.ts`. */
export type Registry = {
  readonly dialects: readonly Dialect[];
  readonly sources: readonly IdentitySource[];
  /** What the sources may touch of the world: tests give their own. */
  readonly platform: SourceDeps;
};

export type Env = Readonly<Record<string, unknown>>;

export const MIB = 1024 * 1024;

export function readConfig(env: Env, catalogue: Registry): Config | ConfigIssues {
  const found: string[] = [];
  const problems: ReportIssue = (path, problem) => void found.push(`${path} ${problem}`);
  const sources = readIdentity(env, catalogue, problems);
  const secret = (name: string): string | null => readSecret(env, name, problems);
  const table = (name: string): Fields => new Fields(optional(env, name, problems), name, problems);
  const delegation = env["DELEGATION"] === undefined ? null : readDelegation(table("DELEGATION"), secret);
  const verifies = delegation !== null || sources.some((source) => source.verifies);
  const assertion = readAssertion(table("OWNER_ASSERTION"), {
    secret,
    sources: [...sourceNames(env), ...(delegation ? ["delegation"] : [])],
    nonces: binding(env, "NONCES", "idFromName", "a Durable Object namespace", problems),
  });
  const config: Config = {
    providers: readProviders(env["PROVIDERS"], {
      dialects: catalogue.dialects,
      verifies,
      key: (name) => readKey(env, name, problems),
      problems,
    }),
    sources,
    assertion: assertion.rules,
    witnesses: assertion.verifiers,
    delegation,
    limits: readLimits(env, problems),
    recording: readRecording(env, problems),
    interceptions: binding(env, "INTERCEPTIONS", "writeDataPoint", "an Analytics Engine data set", problems),
    overrides: binding(env, "OVERRIDES", "writeDataPoint", "an Analytics Engine data set", problems),
    ledger: readLedger(env, problems),
    adminTokenSha256: readAdminToken(env, problems),
  };
  checkLedger(config, problems);
  rejectMisspeltTables(env, problems);
  return found.length > 0 ? { issues: found } : config;
}

function readIdentity(
  env: Env,
  { sources, platform: world }: Registry,
  problems: ReportIssue,
): ConfiguredSource[] {
  const value = env["IDENTITY"] === undefined ? [{ source: "byok" }] : env["IDENTITY"];
  const list = asList(value, "IDENTITY", problems) ?? [];
  if (list.length === 0) problems("IDENTITY", "names no source");
  return list.flatMap((item, at) => {
    const path = `IDENTITY[${at}]`;
    const table = asTable(item, path, problems);
    if (!table) return [];
    const source = sources.find((one) => one.source === table["source"]);
    if (!source) {
      problems(`${path}.source`, `is none of ${sources.map((one) => `"${one.source}"`).join(", ")}`);
      return [];
    }
    const options = new Fields(table, path, problems);
    options.text("source");
    const report: ReportIssue = (key, problem) => problems(`${path}.${key}`, problem);
    const configured = source.configure({
      options,
      secret: (name, whether = "needed") =>
        whether === "optional" && env[name] === undefined ? null : readSecret(env, name, problems),
      binding: (name, method, kind) => {
        if (env[name] === undefined) problems(name, "is missing: a binding that the configuration names");
        return binding(env, name, method, kind, problems);
      },
      report: report,
      deps: world,
    });
    options.rejectUnknown();
    return [{ verifies: source.verifies, ...configured }];
  });
}

/** The sources that `IDENTITY` names; what is wrong with it is said where they are read. */
function sourceNames(env: Env): readonly string[] {
  const list = fromJson(env["IDENTITY"]);
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const name = (fromJson(item) as { readonly source?: unknown } | null)?.source;
    return typeof name === "string" ? name : [];
  });
}

function readLimits(env: Env, problems: ReportIssue): Limits {
  const fields = new Fields(optional(env, "LIMITS", problems), "LIMITS", problems);
  const limits: Limits = {
    bodyBytes: fields.count("body_bytes", 1, 100 * MIB, 32 * MIB),
    headersMs: fields.count("headers_ms", 1, 3_600_000, 600_000),
    idleMs: fields.count("idle_ms", 1, 3_600_000, 300_000),
    observeBytes: fields.count("observe_bytes", 0, 64 * MIB, 8 * MIB),
  };
  fields.rejectUnknown();
  return limits;
}

function readRecording(env: Env, problems: ReportIssue): RecordingOptions {
  const fields = new Fields(optional(env, "RECORDING", problems), "RECORDING", problems);
  const rules: RecordingOptions = {
    required: fields.flag("required", false),
    prompts: fields.flag("prompts", false),
    content: {
      toolInputs: fields.flag("tool_inputs", false),
      thoughts: fields.flag("thoughts", false),
      errorMessages: fields.flag("error_messages", false),
    },
    patterns: (fields.texts("redact") ?? []).flatMap((source, at) => {
      const pattern = toPattern(source);
      if (pattern === null)
        problems(`RECORDING.redact[${at}]`, "is not a regular expression, or finds places without a text");
      return pattern ?? [];
    }),
  };
  fields.rejectUnknown();
  return rules;
}

/** In one of these a form finds nothing with nothing in it, if it can at all. */
const PROBES = ["", "aA1_ -.\n"];

/** null where it cannot be read, or finds places without a text: there it would take out nothing, everywhere. */
function toPattern(source: string): RegExp | null {
  try {
    const pattern = new RegExp(source, "gu");
    const found = PROBES.flatMap((probe) => [...probe.matchAll(pattern)]);
    return found.some(([text]) => text === "") ? null : pattern;
  } catch {
    return null;
  }
}

function readLedger(env: Env, problems: ReportIssue): LedgerBindings {
  return {
    queue: binding(env, "EVENTS", "sendBatch", "a queue", problems),
    database: binding(env, "LEDGER", "prepare", "a D1 database", problems),
    archive: binding(env, "ARCHIVE", "createMultipartUpload", "an R2 bucket", problems),
    retentionDays: readDays(env, "RETENTION_DAYS", 60, problems),
  };
}

/** What stands where must fit together. */
function checkLedger({ recording, ledger }: Config, problems: ReportIssue): void {
  const { queue, database, archive } = ledger;
  if (queue && !database && !archive)
    problems("EVENTS", "needs LEDGER or ARCHIVE: else nothing keeps what the queue delivers");
  if (archive && !queue) problems("ARCHIVE", "needs EVENTS: it is written in the queue's batches");
  if (recording.required && !queue && !database)
    problems("RECORDING.required", "needs LEDGER or EVENTS: there is nothing that could take the record");
}

/** A whole number of days, as a number or (from `.dev.vars` and the dashboard) as its digits. */
function readDays(env: Env, name: string, otherwise: number, problems: ReportIssue): number {
  const value = env[name];
  if (value === undefined) return otherwise;
  const days = typeof value === "string" && /^\d{1,6}$/.test(value.trim()) ? Number(value) : value;
  if (Number.isSafeInteger(days) && (days as number) >= 0 && (days as number) <= 36_500)
    return days as number;
  problems(name, "is not a whole number of days from 0 to 36500");
  return otherwise;
}

function readAdminToken(env: Env, problems: ReportIssue): string | null {
  if (env["ADMIN_TOKEN"] === undefined) return null;
  const value = readSecret(env, "ADMIN_TOKEN", problems);
  if (value === null || /^[0-9a-f]{64}$/.test(value)) return value;
  // Perhaps the token itself, which has no place here.
  problems("ADMIN_TOKEN", "is not a SHA-256 in 64 lower-case hex digits (npm run keys -- admin)");
  return null;
}

function optional(env: Env, name: string, problems: ReportIssue): Table {
  return env[name] === undefined ? {} : (asTable(env[name], name, problems) ?? {});
}

/** The secret's value, or null after reporting its name. */
function readSecret(env: Env, name: string, problems: ReportIssue): string | null {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) problems(name, "is missing: a secret that the configuration names");
  else if (typeof value !== "string") problems(name, "is not a text");
  else if (value.trim() === "") problems(name, "is empty");
  else if (isPlaceholder(value)) problems(name, "still holds a placeholder");
  else return value.trim();
  return null;
}

/** A secret that is a provider key: one line of visible ASCII, as it goes into a header. */
function readKey(env: Env, name: string, problems: ReportIssue): string | null {
  const key = readSecret(env, name, problems);
  if (key === null) return null;
  if (!/^[\x21-\x7e]+$/.test(key)) problems(name, "holds blanks or other characters that no key has");
  else if (isExampleKey(key)) problems(name, "still holds a placeholder");
  else return key;
  return null;
}

/** The same for keys, wherever in them it stands. */
function isExampleKey(key: string): boolean {
  return /\.\.\.|(?:^|[-_])(?:your|replace|change)[-_]|x{8}/i.test(key);
}

const TABLES = new Set(["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "DELEGATION", "RECORDING", "LIMITS"]);

/** A table that nobody reads, under a name that begins as one of ours: a misspelt one, whose rules would not hold. */
function rejectMisspeltTables(env: Env, problems: ReportIssue): void {
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

/** A binding, known by a method that only its kind has; null where it is not bound. */
function binding<T extends object>(
  env: Env,
  name: string,
  method: keyof T & string,
  kind: string,
  problems: ReportIssue,
): T | null {
  const value = env[name];
  if (value === undefined || value === null) return null;
  if (typeof (value as T)[method] === "function") return value as T;
  problems(name, `is not ${kind}`);
  return null;
}
