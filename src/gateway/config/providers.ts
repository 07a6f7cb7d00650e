/** The config's `PROVIDERS`, checked: names, types, base URLs, keys. */
import { asTable, Fields } from "../../shared/config-fields.ts";
import type { ReportIssue } from "../identity/identity.ts";
import type { Dialect, Provider } from "../provider/provider.ts";

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Names that other routes have, here or in the API under `/api/v2/ai-gateway`. */
const RESERVED = new Set(
  "sessions interceptions overrides usage attribution explain anomalies clients models providers v1 api healthz".split(
    " ",
  ),
);

/** What providers are made of, and how the secrets that they name are read. */
type ProviderContext = {
  readonly dialects: readonly Dialect[];
  /** Some identity source verifies callers: without, nobody may spend central keys. */
  readonly verifies: boolean;
  /** The provider key in the secret of that name; null after reporting what is wrong with it. */
  readonly key: (secretName: string) => string | null;
  readonly problems: ReportIssue;
};

export function readProviders(value: unknown, given: ProviderContext): ReadonlyMap<string, Provider> {
  const { verifies, problems } = given;
  const providers = new Map<string, Provider>();
  const table = asTable(value, "PROVIDERS", problems);
  if (table === null) return providers;
  if (Object.keys(table).length === 0) problems("PROVIDERS", "names no provider");
  for (const [name, entry] of Object.entries(table)) {
    const path = `PROVIDERS.${name}`;
    if (!NAME.test(name)) problems(path, `is not a name (${NAME.source})`);
    if (RESERVED.has(name)) problems(path, "is a reserved name");
    const settings = asTable(entry, path, problems);
    const provider = settings && readProvider(name, new Fields(settings, path, problems), given);
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

function readProvider(name: string, fields: Fields, { dialects, key }: ProviderContext): Provider | null {
  const { path, report: problems } = fields;
  const type = fields.text("type");
  const dialect = dialects.find((one) => one.type === type);
  if (!dialect) problems(`${path}.type`, `is none of ${dialects.map((one) => `"${one.type}"`).join(", ")}`);
  const baseUrl = readBaseUrl(fields, dialect);
  const keys = fields.secrets("keys", key);
  const rest = {
    injectUsage: fields.flag("inject_usage", true),
    coderHeaders: fields.flag("forward_coder_headers", false),
    models: fields.texts("models"),
  };
  fields.rejectUnknown();
  return dialect && baseUrl !== null ? { name, dialect, baseUrl, keys, ...rest } : null;
}

function readBaseUrl(fields: Fields, dialect: Dialect | undefined): string | null {
  const url = fields.url("base_url");
  if (url === null || dialect?.mount !== "" || !url.endsWith("/v1")) return url;
  fields.report(`${fields.path}.base_url`, "must not end in /v1: the routes of this type begin with it");
  return null;
}
