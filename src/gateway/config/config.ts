/**
 * The gateway's environment, validated once: unchecked bindings in, a whole Config out, or every issue with them. The only
 * reader of `env` in the gateway. Keys and defaults: docs/reference.md.
 */
import type { RecordsService } from "../../events/records-service.ts";
import {
  readEnvironment,
  type ConfigIssues,
  type Env,
  type Environment,
} from "../../shared/config/environment.ts";
import { EVENT_MAC_KEY, readEventMacKeys } from "../../shared/config/event-mac-keys.ts";
import { asList, asTable, Fields, oneOfIssue, type ReportIssue } from "../../shared/config/fields.ts";
import type { PriceRules } from "../../shared/prices/pricing.ts";
import type { NamedSecret } from "../../shared/secret-finder.ts";
import { rejectMisspelt } from "../../shared/config/unread-names.ts";
import { canonicalSettings } from "../../shared/config/version.ts";
import type { NetworkMode } from "../client/network.ts";
import type { EndUserRules } from "../client/recorded-end-user.ts";
import type { ConfiguredSource, IdentitySource, SourceDeps } from "../identity/identity.ts";
import type { DelegationRules } from "../initiator/delegation.ts";
import type { AssertionRules } from "../initiator/rules.ts";
import type { Dialect, Provider } from "../provider/provider.ts";
import type { ContentOptions } from "../provider/response-reader.ts";
import type { Dataset } from "../sinks/analytics-engine.ts";
import type { BudgetNamespace } from "../policy/budgets/object-client.ts";
import type { PlatformLimiter } from "../policy/budgets/platform-limits.ts";
import type { Rule } from "../policy/budgets/rule.ts";
import { readBudgets, readRateLimits } from "./budgets.ts";
import { readCors, type CorsRules } from "./cors.ts";
import { longSecret, readAssertion, readDelegation, type VerifierOptions } from "./owner-assertion.ts";
import { readPrices } from "./prices.ts";
import { readProviders } from "./providers.ts";
import { rejectSharedSecrets } from "./shared-secrets.ts";
import { readSourceNames } from "./source-names.ts";

export type Limits = {
  /** The largest request body that is read into memory, in bytes. */
  readonly bodyBytes: number;
  /** How many times its compressed size a decoded request body may have. */
  readonly bodyRatio: number;
  /** The largest request body that is only streamed through, in bytes. */
  readonly uploadBytes: number;
  /** The bytes of request bodies that one isolate holds at once. */
  readonly bodiesBytes: number;
  /** How far a client may fall behind `bodyMinRate` while it sends a body. */
  readonly bodyMs: number;
  /** Bytes per second. */
  readonly bodyMinRate: number;
  /** Deadline for the provider's response headers. */
  readonly headersMs: number;
  /** Idle timeout of a response. */
  readonly idleMs: number;
  /** The bytes of a response that are held until they can be read: an event of a stream, a JSON body. */
  readonly observeBytes: { readonly events: number; readonly json: number };
};

export type Config = {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sources: readonly ConfiguredSource[];
  readonly assertion: AssertionRules;
  readonly verifiers: VerifierOptions;
  /** The owners of stored objects; null where they are not bound. */
  readonly objects: DurableObjectNamespace | null;
  /** null where no gateway may delegate. */
  readonly delegation: DelegationRules | null;
  readonly prices: PriceRules;
  readonly budgets: BudgetOptions;
  readonly limits: Limits;
  /** null where no web page may call the gateway. */
  readonly cors: CorsRules | null;
  readonly recording: RecordingOptions;
  /** Every secret that the configuration names. They are removed from responses and records. */
  readonly secrets: readonly NamedSecret[];
  readonly interceptions: Dataset | null;
  readonly overrides: Dataset | null;
  /** The keys of the events' MACs, of which the first signs; none where events have no MAC. */
  readonly eventMacKeys: readonly string[];
  /** The ways to the records Worker; each is optional. */
  readonly queue: Queue | null;
  readonly records: RecordsService | null;
  /** Whether the records API is served on the gateway's host. */
  readonly forwardApi: boolean;
  /** The id of this version of the Worker, which tells two deployed versions apart; null where it is not bound. */
  readonly workerVersion: string | null;
  /** The settings in canonical form, without secrets: `config-version.ts`. */
  readonly settings: string;
};

/** A config while issues may still be found. */
type Checked = Omit<Config, "settings">;

/** The rules for recording the conversation, and whether a request may be forwarded unrecorded. */
export type RecordingOptions = EndUserRules & {
  /** Where requests came from. */
  readonly network: NetworkMode;
  /** The SHA-256 of responses. */
  readonly responseHash: boolean;
  readonly required: boolean;
  /** Each group of log lines is followed by a line with their MAC. */
  readonly logMac: boolean;
  /** Passthrough and refusal events go to the queue too, for the archive. */
  readonly allEvents: boolean;
  readonly prompts: boolean;
  readonly content: ContentOptions;
  /** Further patterns of secrets to redact. */
  readonly patterns: readonly RegExp[];
};

/** The dialects and identity sources that a config can name: from `wiring.ts`. */
export type Registry = {
  readonly dialects: readonly Dialect[];
  readonly sources: readonly IdentitySource[];
  /** Passed to the sources; tests pass their own. */
  readonly platform: SourceDeps;
};

export const MIB = 1024 * 1024;

export function readConfig(env: Env, registry: Registry): Config | ConfigIssues {
  return inspectConfig(env, registry).config;
}

/** The config, and the names in the environment that it does not read. */
export function inspectConfig(
  env: Env,
  registry: Registry,
): { readonly config: Config | ConfigIssues; readonly unread: readonly string[] } {
  const issues: string[] = [];
  const report: ReportIssue = (path, issue) => void issues.push(`${path} ${issue}`);
  const environment = readEnvironment(env, report);
  const { fields, secret, binding } = environment;
  const sources = readIdentity(environment, registry);
  const names = readSourceNames(environment.value("IDENTITY"), report);
  const delegation = environment.has("DELEGATION") ? readDelegation(fields("DELEGATION"), secret) : null;
  const assertion = readAssertion(fields("OWNER_ASSERTION"), {
    secret,
    sources: [...names, ...(delegation ? ["delegation"] : [])],
    ownerSources: [
      ...registry.sources.flatMap((one) => (one.verifies ? one.source : [])),
      ...names.filter((name) => name.startsWith("jwt-")),
    ],
    nonces: binding("NONCES", "idFromName", "a Durable Object namespace"),
  });
  const providers = readProviders(environment.value("PROVIDERS"), {
    dialects: registry.dialects,
    verifies: delegation !== null || sources.some((source) => source.verifies),
    key: (name) => readProviderKey(environment, name),
    report,
  });
  const config: Checked = {
    providers,
    prices: readPrices(environment.has("PRICES") ? environment.value("PRICES") : null, providers, report),
    budgets: readBudgetOptions(environment, providers),
    sources,
    assertion: assertion.rules,
    verifiers: assertion.verifiers,
    objects: binding("OBJECTS", "idFromName", "a Durable Object namespace"),
    delegation,
    limits: readLimits(fields("LIMITS")),
    cors: environment.has("CORS") ? readCors(fields("CORS")) : null,
    recording: readRecording(fields("RECORDING"), secret),
    interceptions: binding("INTERCEPTIONS", "writeDataPoint", "an Analytics Engine data set"),
    overrides: binding("OVERRIDES", "writeDataPoint", "an Analytics Engine data set"),
    queue: binding("EVENTS", "sendBatch", "a queue"),
    records: binding("RECORDS", "fetch", "a service binding"),
    forwardApi: environment.flag("FORWARD_API", true),
    workerVersion: readWorkerVersion(environment),
    // After the others, which have read them.
    secrets: environment.secrets(),
    // After `secrets`: it is sent to no one, so that no response can contain it, and none is searched for it.
    eventMacKeys: readEventMacKeys(environment),
  };
  checkRecords(config, environment);
  checkOwners(config, report);
  rejectSharedSecrets(config, report);
  const unread = environment.unread();
  rejectMisspelt(unread, report);
  return {
    config: issues.length > 0 ? { issues } : { ...config, settings: canonicalSettings(environment.value) },
    unread: unread.map(([name]) => name),
  };
}

function readIdentity(environment: Environment, { sources, platform }: Registry): ConfiguredSource[] {
  const { report } = environment;
  const value = environment.has("IDENTITY") ? environment.value("IDENTITY") : [{ source: "byok" }];
  const list = asList(value, "IDENTITY", report) ?? [];
  if (list.length === 0) report("IDENTITY", "must name a source");
  return list.flatMap((item, at) => {
    const path = `IDENTITY[${at}]`;
    const table = asTable(item, path, report);
    if (!table) return [];
    const source = sources.find((one) => one.source === table["source"]);
    if (!source) {
      report(`${path}.source`, oneOfIssue(sources.map((one) => one.source)));
      return [];
    }
    return [configure(source, new Fields(table, path, report), environment, platform)];
  });
}

function configure(
  source: IdentitySource,
  options: Fields,
  environment: Environment,
  deps: SourceDeps,
): ConfiguredSource {
  options.text("source");
  const configured = source.configure({
    options,
    secret: (name, whether = "needed") =>
      whether === "optional" && !environment.has(name) ? null : environment.secret(name),
    binding: (name, method, kind) => {
      if (!environment.has(name))
        environment.report(name, "is required: the configuration names it as a binding");
      return environment.binding(name, method, kind);
    },
    report: (key, issue) => environment.report(`${options.path}.${key}`, issue),
    deps,
  });
  options.rejectUnknown();
  return { verifies: source.verifies, ...configured };
}

/** Providers accept 32 MB, and agents send screenshots. */
const DEFAULT_BODY_BYTES = 32 * MIB;
/** The edge's limit for zones on the plans Free and Pro; a zone on Enterprise can have 5 GB. */
const DEFAULT_UPLOAD_BYTES = 100 * MIB;
const MAX_UPLOAD_BYTES = 5 * 1024 * MIB;
/**
 * Fits the 128 MB of an isolate. A body is scanned as bytes, so besides these it takes only the texts that are recorded;
 * while it is read, at most half as much again. Large bodies share three quarters, so one of the largest size fits.
 */
const DEFAULT_BODIES_BYTES = 48 * MIB;
const MAX_BODIES_BYTES = 1024 * MIB;

function readLimits(fields: Fields): Limits {
  // Where it is set, it also bounds uploads, as it did before uploads had a limit of their own.
  const setBodyBytes = fields.count("body_bytes", 1, 100 * MIB, 0);
  const bodyBytes = setBodyBytes || DEFAULT_BODY_BYTES;
  const leastBodiesBytes = Math.ceil(1.5 * bodyBytes);
  const limits: Limits = {
    bodyBytes,
    bodyRatio: fields.count("body_ratio", 1, 100_000, 100),
    uploadBytes: fields.count("upload_bytes", 1, MAX_UPLOAD_BYTES, setBodyBytes || DEFAULT_UPLOAD_BYTES),
    bodiesBytes: fields.count(
      "bodies_bytes",
      leastBodiesBytes,
      MAX_BODIES_BYTES,
      Math.max(DEFAULT_BODIES_BYTES, leastBodiesBytes),
    ),
    bodyMs: fields.count("body_ms", 1, 3_600_000, 30_000),
    bodyMinRate: fields.count("body_min_rate", 1, 100 * MIB, 16 * 1024),
    headersMs: fields.count("headers_ms", 1, 3_600_000, 600_000),
    idleMs: fields.count("idle_ms", 1, 3_600_000, 300_000),
    observeBytes: {
      events: fields.count("observe_bytes", 0, 64 * MIB, 2 * MIB),
      json: fields.count("observe_bytes", 0, 64 * MIB, 8 * MIB),
    },
  };
  fields.rejectUnknown();
  return limits;
}

function readRecording(fields: Fields, secret: Environment["secret"]): RecordingOptions {
  const options: RecordingOptions = {
    ...readEndUsers(fields, secret),
    network: fields.oneOf<NetworkMode>("network", ["off", "country", "truncated", "full"], "off"),
    responseHash: fields.flag("response_hash", false),
    required: fields.flag("required", false),
    allEvents: fields.flag("all_events", false),
    logMac: fields.flag("log_mac", false),
    prompts: fields.flag("prompts", false),
    content: {
      toolInputs: fields.flag("tool_inputs", false),
      thoughts: fields.flag("thoughts", false),
      errorMessages: fields.flag("error_messages", false),
    },
    patterns: (fields.texts("redact") ?? []).flatMap((source, at) => {
      const pattern = toPattern(source);
      if (pattern === null)
        fields.report(`RECORDING.redact[${at}]`, "must be a regular expression that matches no empty text");
      return pattern ?? [];
    }),
  };
  fields.rejectUnknown();
  return options;
}

function readEndUsers(fields: Fields, secret: Environment["secret"]): EndUserRules {
  const endUsers = fields.oneOf("end_users", ["hashed", "clear", "dropped"], "hashed");
  const hasKey = fields.text("end_user_key") !== null;
  const endUserKey = hasKey ? fields.secret("end_user_key", longSecret(secret, fields)) : null;
  if (hasKey && endUsers !== "hashed")
    fields.reject("end_user_key", 'applies only with end_users = "hashed"');
  return { endUsers, endUserKey };
}

/** A pattern that can match an empty text does so in one of these. */
const PROBES = ["", "aA1_ -.\n"];

/** null where it is not a pattern, or matches an empty text: it would redact nothing, everywhere. */
function toPattern(source: string): RegExp | null {
  try {
    const pattern = new RegExp(source, "gu");
    const matches = PROBES.flatMap((probe) => [...probe.matchAll(pattern)]);
    return matches.some(([text]) => text === "") ? null : pattern;
  } catch {
    return null;
  }
}

const VERSION_METADATA = "CF_VERSION_METADATA";

/** https://developers.cloudflare.com/workers/runtime-apis/bindings/version-metadata/: `{ id, tag, timestamp }`. */
function readWorkerVersion({ value, report }: Environment): string | null {
  const metadata = value(VERSION_METADATA);
  if (metadata === undefined || metadata === null) return null;
  const { id } = metadata as { readonly id?: unknown };
  if (typeof id === "string" && /^[\x21-\x7e]{1,64}$/.test(id)) return id;
  report(VERSION_METADATA, "must be a version metadata binding");
  return null;
}

/** The rules of `BUDGETS` and `RATE_LIMITS`, and what they need. */
function readBudgetOptions(
  { has, value, secret, binding, report }: Environment,
  providers: Checked["providers"],
): BudgetOptions {
  const budgets = has("BUDGETS") ? readBudgets(value("BUDGETS"), providers, report) : [];
  const rates = has("RATE_LIMITS")
    ? readRateLimits(value("RATE_LIMITS"), providers, report)
    : { rules: [], platform: [] };
  const namespace = binding<BudgetNamespace>("BUDGET_OBJECTS", "idFromName", "a Durable Object namespace");
  const rules = [...budgets, ...rates.rules];
  const [first] = rules;
  if (first && !namespace)
    report(
      first.kind === "budget" ? "BUDGETS" : "RATE_LIMITS",
      "requires BUDGET_OBJECTS: a Durable Object namespace of the records Worker",
    );
  return {
    rules,
    namespace,
    key: has("BUDGET_KEY") ? secret("BUDGET_KEY") : null,
    platform: rates.platform.flatMap(({ binding: name, ...limit }) => {
      const limiter = binding<RateLimiter>(name, "limit", "a rate limiting binding");
      if (!has(name)) report(name, "is required: the configuration names it as a binding");
      return limiter ? [{ ...limit, limit: (options) => limiter.limit(options) }] : [];
    }),
  };
}

/** https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/ */
type RateLimiter = Pick<PlatformLimiter, "limit">;

export type BudgetOptions = {
  readonly rules: readonly Rule[];
  readonly platform: readonly PlatformLimiter[];
  /** The budget objects; null where they are not bound. */
  readonly namespace: BudgetNamespace | null;
  /** By which the names of objects are hashed; null: without a key. */
  readonly key: string | null;
};

/** Bindings that belong to the records Worker since there are two: here nothing would read them. */
const RECORDS_BINDINGS = ["LEDGER", "ARCHIVE", "ASSETS"];

function checkRecords({ recording, queue, records }: Checked, { has, report }: Environment): void {
  if (recording.logMac && !has(EVENT_MAC_KEY))
    report(EVENT_MAC_KEY, "is required: the configuration names it as a secret");
  for (const name of RECORDS_BINDINGS) {
    if (has(name)) report(name, "must be bound to the records Worker (wrangler.records.toml)");
  }
  if (has("RETENTION_DAYS"))
    report("RETENTION_DAYS", "must be set in the records Worker (wrangler.records.toml)");
  if (recording.required && !queue && !records)
    report("RECORDING.required", "requires EVENTS or RECORDS: without them nothing stores the record");
}

function checkOwners({ providers, objects }: Checked, report: ReportIssue): void {
  for (const { name, objects: rules } of providers.values())
    if (rules.owners && !objects)
      report(`PROVIDERS.${name}.objects.owners`, "requires OBJECTS: a Durable Object namespace");
}

/** A secret that is a provider key: one line of visible ASCII, because it is sent in a header. */
function readProviderKey({ secret, report }: Environment, name: string): string | null {
  const key = secret(name);
  if (key === null) return null;
  if (!/^[\x21-\x7e]+$/.test(key)) report(name, "must be visible ASCII without blanks");
  else if (isExampleKey(key)) report(name, "must not be a placeholder");
  else return key;
  return null;
}

/** Whether a placeholder stands anywhere in the key. */
function isExampleKey(key: string): boolean {
  return /\.\.\.|(?:^|[-_])(?:your|replace|change)[-_]|x{8}/i.test(key);
}
