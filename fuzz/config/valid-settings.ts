/** Random valid environments of both Workers, with all their variables and with canaries as secrets. */
import { chance, pick, type Random } from "../random.ts";

/** Not in the form of a secret's name, because a config issue may quote a name. */
export const CANARY = "Canary";
const secret = (name: string): string => `sk-${CANARY}-${name}-0123456789abcdef0123456789`;

/** Values by the path that a config issue names. Tables and lists are nested. */
export type Settings = { [name: string]: unknown };

/** The method is inherited, as a real binding's is: an object without a prototype of its own would count as a table. */
const binding = (method: string): object => Object.create({ [method]: () => undefined }) as object;
const some = (random: Random, settings: Settings): Settings =>
  Object.fromEntries(Object.entries(settings).filter(() => chance(random, 0.8)));

const providers = (random: Random): Settings => ({
  openai: {
    type: "openai",
    base_url: "https://api.openai.example/v1",
    keys: ["OPENAI_KEY", "OPENAI_KEY_2"],
    ...some(random, { models: ["gpt-4o"], inject_usage: false, forward_coder_headers: false }),
  },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.example" },
});

const identity = (random: Random): Settings[] => [
  { source: "keys" },
  {
    source: "coder",
    url: "https://coder.example",
    ...some(random, { cache_ttl_s: 60, negative_ttl_s: 10, timeout_ms: 5000 }),
  },
  {
    source: "jwt",
    issuer: "https://issuer.example/",
    jwks_url: "https://issuer.example/keys",
    audience: ["ai"],
    ...some(random, { algorithms: ["ES256"], actor_claim: "sub", name_claim: "name", kind: "user" }),
    ...some(random, { max_age_s: 3600, clock_tolerance_s: 30, cooldown_s: 30, timeout_ms: 5000 }),
  },
  {
    source: "access",
    team_domain: "https://team.cloudflareaccess.com",
    audience: "0123456789abcdef",
    own_keys: "ignore",
  },
  { source: "byok" },
];

function assertion(random: Random): Settings {
  const allow = pick(random, ["any", "service", "listed", "off"]);
  const signature = pick(random, ["off", "accept", "require"]);
  return {
    allow,
    on_invalid: pick(random, ["ignore", "reject"]),
    signature,
    directory: {
      url: "https://coder.example",
      token: "COREDIR_TOKEN",
      ...some(random, { cache_ttl_s: 300, negative_ttl_s: 30, timeout_ms: 3000, on_down: "reject" }),
    },
    ...(allow === "listed" ? { actors: ["ci-bot", "keys:agents"] } : {}),
    ...(signature === "off" ? {} : { signing_keys: ["SIGNING_KEY"], replay_cache: true }),
  };
}

const gatewaySecrets = (): Settings => ({
  OPENAI_KEY: secret("openai"),
  OPENAI_KEY_2: secret("openai-2"),
  SIGNING_KEY: secret("signing"),
  GATEWAY_KEY: secret("gateway"),
  COREDIR_TOKEN: secret("directory"),
  CLIENT_KEYS: JSON.stringify([
    { sha256: "b".repeat(64), actor: "ci-bot", kind: "service", name: "CI", assert: true },
  ]),
});

/** The gateway's environment. */
export function gatewaySettings(random: Random): Settings {
  return {
    PROVIDERS: providers(random),
    IDENTITY: identity(random),
    OWNER_ASSERTION: assertion(random),
    DELEGATION: { keys: ["GATEWAY_KEY"], actor: "coder-gateway" },
    RECORDING: some(random, {
      required: true,
      all_events: true,
      log_mac: true,
      prompts: true,
      tool_inputs: true,
      thoughts: true,
      error_messages: true,
      redact: ["acme-\\d+"],
    }),
    LIMITS: some(random, {
      body_bytes: 1024,
      upload_bytes: 1024,
      bodies_bytes: 64 * 1024 * 1024,
      body_ms: 1000,
      body_min_rate: 1000,
      headers_ms: 1000,
      idle_ms: 1000,
      observe_bytes: 0,
    }),
    FORWARD_API: pick<unknown>(random, [true, false, "true"]),
    EVENT_MAC_KEY: "0123456789-abcdefghijklmnopqrstuv",
    INTERCEPTIONS: binding("writeDataPoint"),
    OVERRIDES: binding("writeDataPoint"),
    EVENTS: binding("sendBatch"),
    RECORDS: binding("fetch"),
    NONCES: binding("idFromName"),
    OBJECTS: binding("idFromName"),
    ...gatewaySecrets(),
  };
}

/** The environment of the records Worker. */
export function recordsSettings(random: Random): Settings {
  return {
    LEDGER: binding("prepare"),
    ARCHIVE: binding("createMultipartUpload"),
    RETENTION_DAYS: pick<unknown>(random, [0, 60, "30"]),
    EVENT_MAC: pick(random, ["require", "accept"]),
    EVENT_MAC_KEY: "0123456789-abcdefghijklmnopqrstuv 0123456789-ABCDEFGHIJKLMNOPQRSTUV",
    ADMIN_TOKEN: "a".repeat(64),
  };
}
