/** A valid config with every key of every table. */
import { CLIENT_KEYS, OPENAI } from "./read-config.ts";

export const TABLES = {
  PROVIDERS: {
    openai: {
      ...OPENAI,
      keys: ["OPENAI_KEY", "OPENAI_KEY_2"],
      models: ["gpt-4o"],
      filter_models: false,
      response_cache: "keep",
      retries: { attempts: 3, deadline_ms: 20_000, wait_ms: 250, retry_on: "idempotent" },
      headers_ms: 9000,
      breaker: { failures: 2, interval_ms: 5000, open_ms: 6000, trials: 1 },
      concurrency: { max: 10, wait_ms: 50 },
      model_ids: { fast: "gpt-4o" },
      inject_usage: false,
      send_actor_headers: true,
      ai_gateway: { token: "AIG_TOKEN", metadata: false },
    },
    claude: { type: "anthropic", base_url: "https://api.anthropic.example", forward_coder_headers: true },
  },
  IDENTITY: [{ source: "keys" }, { source: "byok" }],
  OWNER_ASSERTION: { allow: "listed", actors: ["ci-bot"], on_invalid: "reject", signature: "off" },
  RECORDING: {
    required: false,
    all_events: true,
    prompts: true,
    tool_inputs: true,
    thoughts: true,
    error_messages: true,
    network: "truncated",
    response_hash: true,
    end_users: "hashed",
    end_user_key: "END_USER_KEY",
    redact: ["corp-[a-z]{8}", "(?i:employee) \\d+"],
  },
  LIMITS: {
    body_bytes: 1,
    upload_bytes: 4,
    bodies_bytes: 2,
    body_ms: 5,
    body_min_rate: 6,
    body_ratio: 7,
    headers_ms: 2,
    idle_ms: 3,
    observe_bytes: 0,
  },
  CORS: { origins: ["https://app.example", "http://localhost:3000"], max_age_s: 60 },
};

export const TABLE_SECRETS = {
  OPENAI_KEY: " sk-one ",
  OPENAI_KEY_2: "sk-two",
  AIG_TOKEN: "cf-aig-one",
  END_USER_KEY: "k-secret-0123456789-abcdefghijklmn",
  CLIENT_KEYS,
};
