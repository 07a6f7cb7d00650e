/** The config's `PROVIDERS`, validated: names, dialects, base URLs and keys. */
import { RESERVED_NAMES } from "../../shared/api-routes.ts";
import {
  asTable,
  Fields,
  fromJson,
  oneOfIssue,
  type ReportIssue,
  type Table,
} from "../../shared/config/fields.ts";
import { coversReserved, HEADER_PATTERN } from "../../shared/http/reserved-headers.ts";
import { readEntra } from "./entra.ts";
import { readAiGateway } from "./ai-gateway.ts";
import { readObjects } from "./objects.ts";
import { readAwsKey } from "./aws-key.ts";
import { presetUrl, readAccountHeaders, readPreset, type Preset } from "./presets.ts";
import type { CentralKey, Dialect, KeyHeader, Provider } from "../provider/provider.ts";
import { checkFallbacks, readResilience } from "./resilience.ts";

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

type ProviderContext = {
  readonly dialects: readonly Dialect[];
  /** Whether an identity source verifies callers: without one, any caller could spend central keys. */
  readonly verifies: boolean;
  /** The provider key in the secret of that name; null after reporting the issue. */
  readonly key: (secretName: string) => string | null;
  readonly report: ReportIssue;
};

const NEEDS_VERIFIED =
  'requires an IDENTITY source that verifies callers: with "byok" alone any caller could spend';

export function readProviders(value: unknown, context: ProviderContext): ReadonlyMap<string, Provider> {
  const { verifies, report } = context;
  const providers = new Map<string, Provider>();
  const keyed = new Set<string>();
  const table = asTable(value, "PROVIDERS", report);
  if (table === null) return providers;
  if (Object.keys(table).length === 0) report("PROVIDERS", "must name a provider");
  for (const [name, entry] of Object.entries(table)) {
    const path = `PROVIDERS.${name}`;
    if (!NAME.test(name)) report(path, `must match ${NAME.source}`);
    if (RESERVED_NAMES.has(name)) report(path, "must not be a reserved name");
    const settings = asTable(entry, path, report);
    const provider = settings && readProvider(name, new Fields(settings, path, report), context);
    if (provider) providers.set(name, provider);
    const central = centralSettings(settings ?? {});
    if (central.length > 0) keyed.add(name);
    for (const [setting, what] of verifies ? [] : central)
      report(`${path}.${setting}`, `${NEEDS_VERIFIED} ${what}`);
  }
  checkFallbacks(providers, keyed, report);
  return providers;
}

/** The settings that give the provider keys of the gateway. */
function centralSettings(settings: Table): readonly (readonly [setting: string, what: string])[] {
  const { keys, aws, entra } = settings;
  const aiGateway = fromJson(settings["ai_gateway"]) as Table | null | undefined;
  const has = [
    ["keys", "these keys", Array.isArray(keys) && keys.length > 0],
    ["aws", "these keys", aws !== undefined],
    ["entra", "these keys", entra !== undefined],
    ["ai_gateway.token", "the keys that AI Gateway stores", aiGateway?.["token"] !== undefined],
  ] as const;
  return has.flatMap(([setting, what, isSet]) => (isSet ? [[setting, what] as const] : []));
}

function readProvider(name: string, fields: Fields, { dialects, key }: ProviderContext): Provider | null {
  const preset = readPreset(name, fields);
  const type = preset?.type ?? fields.text("type");
  const dialect = dialects.find((one) => one.type === type);
  if (!dialect)
    fields.reject("type", `${oneOfIssue(dialects.map((one) => one.type))}, or \`preset\` must be set`);
  const baseUrl = readBaseUrl(fields, dialect, preset);
  const keys = readKeys(fields, preset, key);
  const options = {
    keyHeader: readKeyHeader(fields, preset),
    accountHeaders: readAccountHeaders(preset ?? {}, fields),
    injectUsage: fields.flag("inject_usage", true),
    coderHeaders: fields.flag("forward_coder_headers", false),
    forwardHeaders: readForwardHeaders(fields),
    objects: readObjects(fields),
    models: fields.texts("models"),
    filterModels: fields.flag("filter_models", true),
    keepsCache: fields.oneOf("response_cache", ["no-store", "keep"], "no-store") === "keep",
    ...readResilience(fields),
    aiGateway: readAiGateway(fields, { isPreset: preset?.isAiGateway === true, key }),
    actorHeaders: fields.flag("send_actor_headers", false),
  };
  fields.rejectUnknown();
  return dialect && baseUrl !== null ? { name, dialect, baseUrl, keys, ...options } : null;
}

/** Keys, or one credential of another kind. */
function readKeys(fields: Fields, preset: Preset | null, key: ProviderContext["key"]): readonly CentralKey[] {
  const keys = fields.secrets("keys", key).map((value) => ({ kind: "key", value }) as const);
  const aws = readAwsKey(fields, preset, key);
  const entra = fields.nested("entra");
  if (entra === null) return aws ? [aws] : keys;
  for (const other of ["keys", "aws"])
    if (fields.has(other)) fields.reject("entra", `must not be set beside ${other}`);
  return [readEntra(entra, key) ?? []].flat();
}

const KEY_HEADERS: readonly KeyHeader[] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

function readKeyHeader(fields: Fields, preset: Preset | null): KeyHeader | null {
  const name = fields.oneOf("key_header", ["default", ...KEY_HEADERS], preset?.keyHeader ?? "default");
  return name === "default" ? null : name;
}

/** Of a resource of Azure OpenAI or Foundry. */
const AZURE_ENDPOINT = /^[^/]+\/\/[^/]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.com$/;

function readBaseUrl(fields: Fields, dialect: Dialect | undefined, preset: Preset | null): string | null {
  if (preset && !fields.has("base_url")) return presetUrl(preset, fields);
  const url = fields.url("base_url");
  // So Azure's portal shows the endpoint of a resource. Its APIs have paths below it.
  if (url !== null && AZURE_ENDPOINT.test(url))
    fields.reject("base_url", "must also have the path of the API, such as /openai or /anthropic");
  const beginsWithVersion = dialect?.routes.some(({ path }) => path.startsWith("/v1/")) ?? false;
  if (url === null || !beginsWithVersion || !url.endsWith("/v1")) return url;
  fields.report(`${fields.path}.base_url`, "must not end in /v1: this dialect's routes begin with it");
  return null;
}

/** Names and prefixes of headers. A reserved one would leak a credential, or change what was decided about. */
function readForwardHeaders(fields: Fields): readonly string[] {
  const patterns = fields.texts("forward_headers") ?? [];
  for (const [at, pattern] of patterns.entries()) {
    const path = `${fields.path}.forward_headers[${at}]`;
    if (!HEADER_PATTERN.test(pattern))
      fields.report(path, "must be a header's name in lower case, or at least three letters of one and a *");
    else if (coversReserved(pattern)) fields.report(path, "must not cover a reserved header");
  }
  return patterns;
}
