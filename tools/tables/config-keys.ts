/**
 * Every configuration key for docs/reference.md: which Worker reads it, its default and its effect.
 * test/docs/tables.test.ts compares the keys and defaults with the code that reads them.
 */

export type ConfigKey = {
  readonly key: string;
  /** The Worker whose environment has the key. */
  readonly worker: "gateway" | "records";
  /** The default, in Markdown. */
  readonly fallback: string;
  readonly does: string;
};

type Entry = readonly [name: string, fallback: string, does: string];

const keysOf = (worker: ConfigKey["worker"], prefix: string, entries: readonly Entry[]): ConfigKey[] =>
  entries.map(([name, fallback, does]) => ({ key: `${prefix}${name}`, worker, fallback, does }));

const PROVIDERS = keysOf("gateway", "PROVIDERS.<name>.", [
  [
    "preset",
    "the provider's name, if it is one",
    "The service, whose dialect, address and header for keys are known ([providers.md](providers.md#presets)). Its address may require further settings.",
  ],
  ["type", "required without a preset", "The API's dialect: `openai`, `anthropic` or `azure`."],
  [
    "base_url",
    "required without a preset",
    "`https://…` (plain `http` only on loopback). The routes are appended to it. For `openai` it usually ends in `/v1`; for `anthropic` it must not. For `azure` it ends in `/openai`.",
  ],
  [
    "keys",
    "none",
    "Names of secrets that hold central provider keys. Each request gets the valid key with the fewest open calls; another one is tried where the provider rejects it or limits its rate ([retries.md](retries.md)). Without it the client's own provider key is forwarded.",
  ],
  [
    "aws.access_key_id",
    "none",
    "Name of the secret with the id of an access key of AWS. With `aws` the gateway signs each request (Signature Version 4), in place of `keys` ([providers.md](providers.md#signatures-of-aws)).",
  ],
  ["aws.secret_access_key", "required with `aws`", "Name of the secret with the access key itself."],
  [
    "aws.session_token",
    "none",
    "Name of the secret with the session token of temporary credentials, which expire.",
  ],
  ["aws.region", "the provider's `region`", "The region in the signature's scope."],
  ["aws.service", "the preset's", "The service in the signature's scope, such as `bedrock-mantle`."],
  ["resource", "required by `azure` and `claude-foundry`", "The name of the resource at Azure."],
  [
    "region",
    "required by `bedrock-mantle` and `claude-aws`",
    "The AWS region, in the address and in signatures.",
  ],
  [
    "workspace_id",
    "none",
    "With the preset `claude-aws`: the workspace in `anthropic-workspace-id`, beside a central key or a signature. A client with its own key sends its own.",
  ],
  ["account_id", "required by `workers-ai` and `ai-gateway-*`", "The id of the Cloudflare account."],
  [
    "gateway_id",
    "required by the presets `ai-gateway-*`",
    "The name of the gateway in Cloudflare AI Gateway.",
  ],
  [
    "entra.tenant_id",
    "none",
    "In place of `keys`: the gateway fetches access tokens of Microsoft Entra ID for this tenant, an id or a domain ([providers.md](providers.md#entra-id)). They are sent as bearer tokens.",
  ],
  ["entra.client_id", "required with `entra`", "The id of the application."],
  [
    "entra.client_secret",
    "required with `entra`",
    "Name of a secret that holds the application's client secret.",
  ],
  [
    "entra.scope",
    "`https://ai.azure.com/.default`",
    "The scope of the tokens. Dated routes may need `https://cognitiveservices.azure.com/.default`.",
  ],
  [
    "entra.authority",
    "`https://login.microsoftonline.com`",
    "The address of the authority: another one in a national cloud.",
  ],
  [
    "key_header",
    "the preset's, else the dialect's",
    "The header in which the provider expects a key: `authorization` (as a bearer token), `x-api-key`, `api-key`, `x-goog-api-key`, or `default` for the dialect's.",
  ],
  [
    "retries.attempts",
    "`1`",
    "The attempts of a request at most, the first included; attempts with another key do not count ([retries.md](retries.md)). `1` retries none.",
  ],
  [
    "retries.deadline_ms",
    "`30000`",
    "No retry begins later than this after the first attempt. It does not bound attempts with another key at once.",
  ],
  [
    "retries.wait_ms",
    "`500`",
    "The wait before the first retry is random, up to this, after the provider's `retry-after`. It doubles with each retry, up to 30 s.",
  ],
  [
    "retries.retry_on",
    "`not_run`",
    "`not_run` retries attempts that the provider did not run. `idempotent` sends an `Idempotency-Key`, for a provider that honours it, and also retries attempts that may have run. `any` retries those without it: the provider may run and charge a request twice.",
  ],
  [
    "headers_ms",
    "`LIMITS.headers_ms`",
    "How long one attempt waits for the headers of its response, where that is shorter.",
  ],
  [
    "breaker.failures",
    "`5`",
    "With a table `breaker`: the consecutive failures of a route and model at which the provider is not called for a while ([retries.md](retries.md#circuit-breaker)).",
  ],
  ["breaker.interval_ms", "`10000`", "Failures that are further apart do not follow each other."],
  ["breaker.open_ms", "`30000`", "How long no request is sent."],
  [
    "breaker.trials",
    "`3`",
    "The requests that try the provider after that, and must succeed before others follow.",
  ],
  [
    "concurrency.max",
    "none",
    "The calls that one isolate has open at the provider, at most ([retries.md](retries.md#concurrency)).",
  ],
  [
    "concurrency.wait_ms",
    "`1000`",
    "How long a call above `concurrency.max` waits for the end of another one.",
  ],
  [
    "fallbacks",
    "none",
    "Names of providers with keys that speak the same API. They are called in this order where the provider fails ([retries.md](retries.md#fallbacks)).",
  ],
  [
    "model_ids",
    "none",
    "A table of names that clients send, and the ids by which this provider knows the models: aliases, and names of deployments ([retries.md](retries.md#model-ids)).",
  ],
  ["models", "all", "Allow-list of model names, compared exactly. `[]` denies all models."],
  [
    "filter_models",
    "`true`",
    "With `models`: removes the other models from the provider's list of models, and responds to a request for one of them with 404. `false` passes both on.",
  ],
  [
    "response_cache",
    "`no-store`",
    "`no-store` sends `cache-control: private, no-store` with every response of the provider. `keep` passes the provider's own on.",
  ],
  [
    "inject_usage",
    "`true`",
    "Requests usage figures in chat streams when the client did not, and removes that one event from the client's stream.",
  ],
  [
    "forward_coder_headers",
    "`false`",
    "Forwards the accepted `X-Coder-Owner-Id`, and the chat, subchat and workspace ids as the client sent them; no other `X-Coder-*` header. Use it only when the upstream is Coder itself.",
  ],
  [
    "send_actor_headers",
    "`false`",
    "Names the initiator to the provider in Coder's headers `x-ai-bridge-actor-id` and `x-ai-bridge-actor-metadata-username` ([providers.md](providers.md#actor-headers)). This is personal data.",
  ],
  [
    "ai_gateway.token",
    "none",
    "The upstream is Cloudflare AI Gateway: name of the secret with its token, sent as `cf-aig-authorization`. Without `keys`, AI Gateway uses the provider key that it stores ([providers.md](providers.md#cloudflare-ai-gateway)).",
  ],
  [
    "ai_gateway.metadata",
    "`true`",
    "Sends initiator, actor, attribution, client and interception id as `cf-aig-metadata`. Applies with `ai_gateway` and with a preset of AI Gateway.",
  ],
  [
    "forward_headers",
    "`[]`",
    "Further request headers for the provider: names in lower case, or prefixes with `*`. The dialect's list is in [guarantees.md](guarantees.md#request-headers). Reserved headers are rejected (credentials, `cookie`, `host`, `x-coder-*`, `cf-*`, `x-forwarded-*`, `range` and others).",
  ],
  [
    "objects",
    "by key",
    'Who may `read`, `write` and `delete` the provider\'s stored objects (files, batches, responses, conversations, fine-tuned models): each `"on"`, `"off"`, or a list of rules with `source`, `kind`, `actor` or `claim = { name = "value" }`. Default with the client\'s own key: `"on"`. With a central key: services alone read and write files and batches, which every caller could list; any caller reads and writes responses and conversations, by their ids; no caller deletes. A model call that requests a stored or later response (`store`, `background`) counts as `write`, one that continues from a stored one (`previous_response_id`, `conversation`) as `read`; without a setting, both are permitted. With `owners = "check"` an object is used by its creator alone, and by the actors in these lists ([deploy.md](deploy.md#owners-of-stored-objects)); requires the binding `OBJECTS`.',
  ],
]);

const IDENTITY = keysOf("gateway", "IDENTITY", [
  [
    "[].source",
    "`byok`",
    "`byok`, `keys`, `coder`, `jwt` or `access`, tried in this order of the list. The first source that recognizes the credential decides; if it rejects the credential, later sources are not tried. The keys below belong to the source in brackets.",
  ],
  [
    "[keys].store",
    "none",
    "Name of a KV namespace with further client keys (`npm run keys -- new … --store`). It is read after the secret `CLIENT_KEYS`, which is then optional.",
  ],
  [
    "[keys].cache_ttl_s",
    "`30`",
    'Only with `store`: TTL of the cache of keys read from it, at most 300. A revoked key is usually rejected within this time plus 60 s of KV\'s own caches (KV promises "60 seconds or more").',
  ],
  [
    "[coder].url",
    "required",
    "Base URL of a Coder deployment. Its session tokens and API keys are accepted, of active users only.",
  ],
  [
    "[coder].cache_ttl_s",
    "`60`",
    "TTL of the cache of valid tokens, at most 300. A token that is revoked, or whose user is suspended, is rejected within this time. While Coder does not respond, only cached tokens are accepted.",
  ],
  [
    "[coder].negative_ttl_s",
    "`10`",
    "TTL of the negative cache for tokens that Coder rejected, at most 300.",
  ],
  [
    "[coder].require_scope",
    '`["all"]`',
    "Scopes of which a token must have one, for all resources; `all` is that of a session. An empty list accepts every token that can read its user.",
  ],
  ["[coder].timeout_ms", "`5000`", "Timeout of a request to Coder. After it the client gets a 503."],
  [
    "[jwt].issuer",
    "required",
    "The issuer whose tokens are accepted. It must equal the token's `iss` exactly, including a trailing slash.",
  ],
  [
    "[jwt].jwks_url",
    "required",
    "URL of the issuer's keys (`jwks_uri` in its `/.well-known/openid-configuration`). The keys are fetched again after 10 minutes. While the issuer does not respond, the last keys are used for up to a day.",
  ],
  [
    "[jwt].name",
    "`jwt`",
    "The source that actors of this issuer are recorded with: `jwt`, or `jwt-` and up to 32 of a-z 0-9. Each of several issuers needs one of its own, because two issuers may give one id to two people. Other settings name the source by it.",
  ],
  ["[jwt].audience", "required", "A text or a list of texts, one of which must be in `aud`."],
  [
    "[jwt].algorithms",
    '`["RS256", "ES256"]`',
    "Accepted algorithms: RS, PS and ES with 256, 384 or 512, `EdDSA` and `Ed25519`. No others are supported.",
  ],
  [
    "[jwt].actor_claim",
    "`sub`",
    "The claim that holds the actor's id, or with an `act` claim the initiator's: up to 96 of A-Z a-z 0-9 . _ : @ -, starting with a letter or digit.",
  ],
  ["[jwt].name_claim", "none", "The claim that holds the actor's name, recorded with each interception."],
  ["[jwt].kind", "`user`", "The kind of actor that the tokens belong to: `user` or `service`."],
  ["[jwt].service_claim", "none", "A claim that marks a token of a service when its value is `true`."],
  ["[jwt].service_value", "none", "The text that `service_claim` must have instead of `true`."],
  [
    "[jwt].require",
    "none",
    'Claims that a token must have, each with its value or a list of values: `{ repository_owner = "acme" }`. A claim that is a list must contain one of them. Required for issuers that many organizations share, such as GitHub Actions, GitLab.com or Google, with a claim that names your organization.',
  ],
  [
    "[jwt].max_age_s",
    "none",
    "Maximum age by `iat`, which is then required. `exp` is always required; without `max_age_s` it must be at most a day away.",
  ],
  ["[jwt].clock_tolerance_s", "`30`", "Accepted deviation of the issuer's clock, at most 300."],
  [
    "[jwt].cooldown_s",
    "`30`",
    "Minimum interval between fetches of the key set that an unknown `kid` triggers. A newly published key may be rejected for this long.",
  ],
  [
    "[jwt].timeout_ms",
    "`5000`",
    "Timeout of a fetch of the key set. If no keys are cached, the client then gets a 503.",
  ],
  [
    "[access].team_domain",
    "required",
    "`https://<team>.cloudflareaccess.com`: the team whose `Cf-Access-Jwt-Assertion` is accepted. If that header is present, this source decides, unless an earlier source recognizes the credential.",
  ],
  ["[access].audience", "required", "The Access application's AUD tag, or a list of them."],
  [
    "[access].services",
    "all",
    "Client ids of the service tokens that are accepted. Without the list, each id in the form of a service token's (`<32 hex digits>.access`) is.",
  ],
  [
    "[access].own_keys",
    "`ignore`",
    "Where the client's own provider key goes that is sent with the assertion: only to providers without `keys` (`ignore`), or to all (`forward`).",
  ],
]);

const OWNER_ASSERTION = keysOf("gateway", "OWNER_ASSERTION.", [
  [
    "allow",
    "`any`",
    "Actors that may assert an owner: `any` actor, verified `service` accounts, `listed` actors, or no actor (`off`). A client key's own `assert` restricts `any` and `service`, and counts as listed.",
  ],
  [
    "actors",
    "none",
    "Actor ids that count as listed. A plain id matches any source that verifies; `<source>:<id>` matches that source of `IDENTITY` only. A fingerprint (`byok:…`) is written in full.",
  ],
  [
    "source",
    "`coder`",
    "The source of owners' ids: the identity source that knows the same people under the same ids. A principal is a source and an id, so a person's own calls through that source and calls on their behalf are one principal's.",
  ],
  [
    "on_invalid",
    "`ignore`",
    "`ignore`: the actor remains the initiator and the rejection is recorded. `reject`: the request is also refused with 400.",
  ],
  [
    "signature",
    "`off`",
    "`accept`: an owner that is sent with a signature is accepted only if the signature is valid, as `signed`. `require`: an owner header without a valid signature is refused with 401 ([signing](signing.md)). The subject of a token with an `act` claim needs none.",
  ],
  [
    "signing_keys",
    "none",
    "Names of secrets of at least 32 characters. A signature by any of them is valid, which allows rotation.",
  ],
  [
    "http_signature_keys",
    "none",
    'Keys of HTTP message signatures (RFC 9421): a list of `{ id, algorithm = "ed25519", public_key }` or `{ id, algorithm = "hmac-sha256", secret }`, where `id` is the `keyid`, `public_key` is in base64 or PEM, and `secret` names a secret of at least 32 characters.',
  ],
  [
    "replay_cache",
    "`false`",
    'Accepts each signature only once. `signature = "require"` does so in any case, and rejects `false`. Both require the binding `NONCES`.',
  ],
  [
    "directory.url",
    "none",
    "Base URL of a Coder deployment. Only its active users are accepted as owners. Without this table owners are not looked up.",
  ],
  ["directory.token", "required", "Name of the secret that holds a token with permission to read its users."],
  [
    "directory.cache_ttl_s",
    "`300`",
    "TTL of the cache of active users. A suspended user is rejected within this time.",
  ],
  ["directory.negative_ttl_s", "`30`", "TTL of the negative cache for unknown and inactive users."],
  ["directory.timeout_ms", "`3000`", "Timeout of a lookup."],
  [
    "directory.on_down",
    "`reject`",
    "While the directory is down, an owner is rejected (`reject`), or accepted and recorded with `directory: down` (`accept`).",
  ],
]);

const DELEGATION = keysOf("gateway", "DELEGATION.", [
  [
    "keys",
    "none",
    "Names of secrets of at least 32 characters. A request with one of them in `X-Coder-AI-Gateway-Key` has the actor below, which may assert owners. Any other key is refused with 401.",
  ],
  ["actor", "`coder-gateway`", "The actor's id: a service account of the source `delegation`."],
]);

const RECORDING = keysOf("gateway", "RECORDING.", [
  [
    "required",
    "`false`",
    "Refuses an interception or a passthrough with 503 unless the queue or the records Worker has stored its start. Requires `EVENTS` or `RECORDS`. It does not apply to refusals: nothing is forwarded.",
  ],
  [
    "all_events",
    "`false`",
    "Also sends to the queue, for the archive, every `refusal` without a verified actor, so that anyone can fill queue and archive with them.",
  ],
  [
    "log_mac",
    "`false`",
    "After each request's group of lines in the interception log, prints one with their MAC, so that `npm run replay -- --plain` can verify them. Requires `EVENT_MAC_KEY`.",
  ],
  [
    "prompts",
    "`false`",
    "Records the user's prompts. Whether a request has one (`prompt_count`) is always recorded.",
  ],
  [
    "tool_inputs",
    "`false`",
    "Records the inputs of tool calls, and the errors of tools that the provider ran. The tools' names are always recorded.",
  ],
  ["thoughts", "`false`", "Records the model's thoughts as far as the provider returns them."],
  [
    "error_messages",
    "`false`",
    "Records the provider's error messages. The type of an error is always recorded.",
  ],
  [
    "network",
    "`off`",
    "Where requests came from: `off`, `country` (with the request's `cf-ray`), `truncated` (and the address's network of 24 or 48 bits) or `full` (and the whole address). An address is personal data, so none is recorded unless you choose it ([incidents](records.md#incidents)).",
  ],
  [
    "response_hash",
    "`false`",
    "Records the SHA-256 of the responses to model calls (`response_sha256`). That of requests is always recorded.",
  ],
  [
    "end_users",
    "`hashed`",
    "The client's word for its own user (`user`, `safety_identifier`, `metadata.user_id`, Open WebUI's headers) in `end_user`: `hashed`, `clear` (redacted, 256 characters) or `dropped`. It is not verified and decides nothing ([end users](records.md#end-users)).",
  ],
  [
    "end_user_key",
    "none",
    "Name of a secret of at least 32 characters: the key of the hash, and of that of rejected owner values. Without it, anyone who can list the users can compute their hashes.",
  ],
  [
    "redact",
    "none",
    "Regular expressions (JavaScript, flag `u`). Matches are redacted from the content above, in addition to the built-in patterns of secrets. They must be fast on 20,000 characters.",
  ],
]);

const PRICES = [
  ...keysOf("gateway", "PRICES.<provider>.", [
    [
      "list",
      "by `base_url`, else by `type`",
      "The price list: `openai`, `anthropic`, `azure`, `google`, `deepseek`, `mistral`, `x-ai` or `bedrock`; `none` prices only the models below. See [costs](costs.md).",
    ],
    ["discount_percent", "`0`", "Subtracted from each price, with up to one decimal place."],
  ]),
  ...keysOf("gateway", "PRICES.<provider>.models.<model>.", [
    [
      "as",
      "none",
      "The model whose price counts, for a deployment or an alias with a name of its own. `<model>` is a name, or its beginning and a `*`; the first that matches counts.",
    ],
    ...["input", "output"].map((name): Entry => [
      name,
      "none",
      `US dollars per million ${name} tokens. Where a model has prices of its own, nothing else about it is priced.`,
    ]),
    ["cache_read", "`input`", "US dollars per million input tokens that are read from the cache."],
    [
      "cache_write",
      "`input`",
      "US dollars per million input tokens that are written to the cache for five minutes.",
    ],
    ["cache_write_1h", "`cache_write`", "The same for an hour."],
    ["reasoning", "`output`", "US dollars per million reasoning tokens, which are output tokens."],
    ["input_audio", "`input`", "US dollars per million audio tokens of the input."],
    ["output_audio", "`output`", "The same of the output."],
    ["input_image", "`input`", "US dollars per million image tokens of the input."],
    ["output_image", "`output`", "The same of the output."],
    ["web_search", "none", "US dollars per thousand searches that the provider ran."],
    ["file_search", "none", "The same for searches of files."],
    ["request", "none", "US dollars per thousand requests."],
    ["audio_seconds", "none", "US dollars per hour of audio."],
  ]),
];

const FILTERS: readonly Entry[] = [
  ["providers", "all", "The rule is about calls of these providers of `PROVIDERS`."],
  [
    "models",
    "all",
    "About calls of these models: names, or their beginning and a `*`. A call whose model is not known counts too.",
  ],
  ["clients", "all", "About calls of these clients, which are hints: see [clients](clients.md)."],
  [
    "claim",
    "all",
    '`"name=value"`: about calls of actors whose verified token has this claim, or has the value in its list.',
  ],
];
const EVIDENCE: readonly Entry[] = [
  [
    "min_attribution",
    "`asserted`",
    "The weakest evidence by which an initiator is charged: `authenticated`, `signed`, `asserted`, `unverified` or `claimed`.",
  ],
  [
    "below",
    "`actor`",
    "With weaker evidence `actor` charges the holder of the credential, and `refuse` refuses the call with 403.",
  ],
];

const BUDGETS = [
  ...keysOf("gateway", "BUDGETS.<name>.", [
    [
      "per",
      "`initiator`",
      "Whose account: `initiator`, `actor`, `client`, `workspace` (of Coder), or `all` for one account of all. See [budgets](budgets.md).",
    ],
    [
      "dollars",
      "none",
      "The limit in US dollars. Exactly one of `dollars`, `tokens` and `requests` is required.",
    ],
    ["tokens", "none", "The limit in tokens of input and output, cached ones included."],
    ["requests", "none", "The limit in requests."],
    ["hard", "`true`", "Whether calls are refused that might exceed the limit. `false` only reports."],
    [
      "mode",
      '`strict`; with `per = "all"` `soft`',
      "`strict` reserves the most that a call may cost before it is made. `soft` waits for nothing, charges afterwards, and refuses once the isolate knows that the limit is spent.",
    ],
    ["window_s", "none", "A rolling window in seconds, from 60 to 31622400, in place of a period."],
    ["period", "`month`", "`day`, `week` (from Monday) or `month`, in `time_zone`."],
    ["time_zone", "`UTC`", "The name of a time zone, such as `Europe/Berlin`."],
    ["warn_at", "`[80]`", "Percentages of the limit at which an event `budget_threshold` is recorded."],
    ...FILTERS,
    ...EVIDENCE,
    [
      "on_unavailable",
      "`closed` if hard and strict, else `open`",
      "While the budget cannot be checked, `closed` refuses calls with 503, and `open` lets them through and charges them later.",
    ],
    [
      "unpriced",
      "`refuse`",
      "A call whose cost has no known limit: `refuse` refuses it with 403, `allow` lets it through.",
    ],
    ["own_keys", "`false`", "Whether calls with the caller's own provider key count."],
    ["status", "`403`", "HTTP status of a refusal, `403` or `429`. No client repeats either by itself."],
  ]),
  ...keysOf("gateway", "RATE_LIMITS.<name>.", [
    [
      "per",
      "`initiator`",
      "Whose calls: of an `initiator`, an `actor`, a `key` (the credential), or `all` together.",
    ],
    [
      "binding",
      "none",
      "The name of a rate limiting binding of the platform, which counts requests approximately and without a budget object. The three limits below do not apply then.",
    ],
    ...FILTERS,
    ...EVIDENCE,
    ["on_unavailable", "`open`", "As in `BUDGETS`."],
    ["own_keys", "`true`", "As in `BUDGETS`."],
    ["requests", "none", "Requests in a minute. At least one of the three is required."],
    [
      "tokens",
      "none",
      "Tokens in a minute: a call is admitted by its estimated input, and charged with what it used.",
    ],
    ["concurrent", "none", "Calls at one time."],
  ]),
  ...keysOf("gateway", "", [
    [
      "BUDGET_OBJECTS",
      "none",
      "Durable Object namespace of the class `BudgetObject` of the records Worker. Required by `BUDGETS`, and by `RATE_LIMITS` without `binding`.",
    ],
    [
      "BUDGET_KEY",
      "none",
      "Secret: the key by which the names of budget objects are hashed. Without it, who reads the platform's logs can tell whose object it is. A new key begins all accounts anew.",
    ],
  ]),
];

const LIMITS = keysOf("gateway", "LIMITS.", [
  [
    "body_bytes",
    "`33554432`",
    "Maximum size of a request body that is read into memory: of a model call, of a signed request, and of any request without `Content-Length`.",
  ],
  [
    "upload_bytes",
    "`104857600`",
    "Maximum size of a request body that is only streamed through: of a passthrough with `Content-Length`. Default: `body_bytes` where that is set.",
  ],
  [
    "bodies_bytes",
    "`50331648`",
    "Request bodies that one isolate holds at once, until the provider's headers arrive. Past it: 503. At least 1.5 times `body_bytes`, which is also the default where that is more. A quarter is kept for bodies up to 256 KiB.",
  ],
  [
    "body_ms",
    "`30000`",
    "How far a client may fall behind `body_min_rate` while it sends a body. A silence of this length ends the request: 408. A body of up to 256 KiB with `Content-Length` has this time plus its length at that rate.",
  ],
  [
    "body_ratio",
    "`100`",
    "How many times its compressed size a decoded request body may have, once it is larger than 1 MiB: 413.",
  ],
  [
    "body_min_rate",
    "`16384`",
    "Minimum rate of a request body, in bytes per second. Of a body that is held it grows with the bytes that have arrived: of 8 MiB, 35 KB per second; of 32 MiB, 140 KB.",
  ],
  ["headers_ms", "`600000`", "Deadline for the provider's response headers."],
  ["idle_ms", "`300000`", "Idle timeout of an intercepted response."],
  [
    "observe_bytes",
    "`2097152`, for JSON `8388608`",
    "Bytes of a response that are held until they can be read: of an event stream the current event (64 KiB at least), of JSON the whole body. Of a larger one, which is forwarded completely, only the start and the last 64 KiB are read. A number applies to both.",
  ],
]);

const CORS = keysOf("gateway", "CORS.", [
  [
    "origins",
    "required",
    "Origins of the web pages that may call the providers' routes from a browser, such as `https://app.example.com`: scheme, host and port exactly as the browser sends them. Neither `*` nor `null`. A page sends its own credential; an actor of the source `access` is refused ([web pages](clients.md#web-pages)). Without the table `CORS` no page can.",
  ],
  ["max_age_s", "`600`", "How long a browser may cache the response to a preflight request, at most 86400."],
]);

const EVENT_MAC_KEY: Entry = [
  "EVENT_MAC_KEY",
  "none",
  "Secret, the same in both Workers: the key of the MACs by which the records Worker recognizes the gateway's events (`npm run keys -- mac`). At least 32 bytes. During a [rotation](runbook.md#replacing-the-key-of-the-events-macs) two keys with a space between: the first signs, both verify. Without it events have no MAC, and the records Worker stores what it gets.",
];

const GATEWAY = keysOf("gateway", "", [
  EVENT_MAC_KEY,
  ["FORWARD_API", "`true`", "Serves the records API on the gateway's host, through `RECORDS`."],
  ["INTERCEPTIONS", "none", "Analytics Engine data set: one row for each interception and passthrough."],
  ["OVERRIDES", "none", "Analytics Engine data set: one row for each owner header."],
  ["EVENTS", "none", "Queue producer: sends events to the records Worker."],
  [
    "RECORDS",
    "none",
    "Service binding to the records Worker: serves its API and, without `EVENTS`, stores events after each response.",
  ],
  [
    "CF_VERSION_METADATA",
    "none",
    "Version metadata binding (`[version_metadata]`): its id is recorded as `worker_version`.",
  ],
  ["NONCES", "none", "Durable Object namespace of the class `NonceShard`, for `replay_cache`."],
  [
    "OBJECTS",
    "none",
    'Durable Object namespace of the class `ObjectOwnersShard`, for `objects` with `owners = "check"`.',
  ],
  [
    "CLIENT_KEYS",
    "required with the source `keys`",
    "Secret: a JSON array with one entry for each client key (`npm run keys -- new`).",
  ],
]);

const SEALS = keysOf("records", "SEALS.", [
  [
    "origin",
    "required with `SEAL_KEY`",
    "The unique name of the log of seals, such as `ai.example.com/records`: a host of yours and a path, without `https://`. It is the name of the key, and never changes.",
  ],
  [
    "publish",
    "`false`",
    "Writes checkpoints and tiles into `ARCHIVE` below `seals/`, in the layout of tlog-tiles, for auditors without access to the ledger. They hold no value of a field that may be personal.",
  ],
]);

const CONSOLE = keysOf("records", "CONSOLE.", [
  [
    "origins",
    "`[]`",
    "The exact origins that serve the console, such as `https://ai-console.your-company.com`; `http` is allowed on this machine only. If the list is empty, the console is off. In production, never list the origin of a gateway, because it serves providers' responses.",
  ],
  ["token_sign_in", "`true`", "Whether an admin token can be exchanged for a session of the console."],
  [
    "tokens",
    "none",
    'Further admin tokens of the API, by name: `{ auditors = { sha256 = "…", scopes = ["read"] } }`. `npm run keys -- admin` prints the `sha256`. During a rotation, set two values, separated by a space. Scopes: `read`, `content`, `admin`. `ADMIN_TOKEN` has the name `admin` and every scope.',
  ],
  [
    "roles",
    "required with `access` or `oidc`",
    'Scopes for each value of the role claim: `{ "ai-auditors" = ["read", "content"] }`. `"*"` applies to every person who signs in. A person without a role is refused.',
  ],
  ["idle_minutes", "`30`", "A session ends after this many minutes without a request."],
  ["max_hours", "`8`", "A session ends after this many hours, even if it is in use."],
  [
    "access",
    "none",
    "Sign-in by Cloudflare Access: `team_domain` and `audience` as for the identity source `access`, `name_claim` (default `email`) and `role_claim` (default `email`; a dot separates nested claims, such as `custom.groups`).",
  ],
  [
    "oidc",
    "none",
    "Sign-in by OpenID Connect: `issuer`, `client_id`, `secret` (the name of a secret; omit it with `public_client = true`), `authorization_url`, `token_url`, `jwks_url`, `scope` (default `openid email profile`), `algorithms` (default `RS256`, `ES256`), `name_claim` (default `email`) and `role_claim` (default `groups`).",
  ],
]);

const RECORDS = keysOf("records", "", [
  EVENT_MAC_KEY,
  [
    "EVENT_MAC",
    "`require`",
    "Only with `EVENT_MAC_KEY`. `require`: events without a MAC are stored in `unauthenticated_events`, apart from the ledger. `accept`: they are stored in the ledger, unmarked. A MAC that is not valid is never accepted.",
  ],
  [
    "LEDGER",
    "required unless `ARCHIVE` is bound",
    "D1 database: the complete, queryable record, which the API reads.",
  ],
  [
    "ARCHIVE",
    "none",
    "R2 bucket: the queue's batches as gzipped NDJSON, for long-term storage. Without `RECORDING.all_events` it gets the events that `LEDGER` has a table for.",
  ],
  [
    "GATEWAY",
    "none",
    "Service binding to the gateway's entrypoint `OwnRoutes`: serves budgets, corrections and `explain` on the records Worker's own hosts. `npm run deploy` adds it where `CONSOLE.origins` is set.",
  ],
  ["ASSETS", "none", "Static assets: the files of the console, which `npm run console` builds."],
  [
    "BUDGET_OBJECTS",
    "none",
    "Durable Object namespace of the class `BudgetObject`, for the gateway's budgets.",
  ],
  [
    "DEAD_LETTER_QUEUE",
    "a queue whose name has the word `dead` or `dlq`",
    "Name of the queue that `dead_letter_queue` of the consumer names, where it has neither word: `ai-events-dead` and `ai-events-staging-dlq` need no setting.",
  ],
  [
    "RETENTION_DAYS",
    "`30`",
    "Age in days after which rows of `LEDGER` are deleted. `0`: never. Totals are kept, and so are the rows of a legal hold (`npm run hold`).",
  ],
  ["RETENTION.prompts", "`RETENTION_DAYS`", "The same for recorded prompts; at most `RETENTION_DAYS`."],
  ["RETENTION.tools", "`RETENTION_DAYS`", "For tool calls; at most `RETENTION_DAYS`."],
  ["RETENTION.thoughts", "`RETENTION_DAYS`", "For the model's thoughts; at most `RETENTION_DAYS`."],
  ["RETENTION.overrides", "`RETENTION_DAYS`", "For owner assertions, accepted and rejected."],
  [
    "RETENTION.passthroughs",
    "`RETENTION_DAYS`",
    "For forwarded management requests, and usage read by them.",
  ],
  ["RETENTION.refusals", "`RETENTION_DAYS`", "For refusals and their counts."],
  ["RETENTION.budgets", "`400`", "For events of budgets and rate limits."],
  ["RETENTION.anomalies", "`RETENTION_DAYS`", "For anomalies and the counts that they follow from."],
  ["RETENTION.accesses", "`400`", "For the record of reads, deletions, holds and erasures."],
  [
    "RETENTION.unauthenticated",
    "`RETENTION_DAYS`",
    "For events without a valid MAC, by the time of their storing. Past `max_gb` all of them are deleted first.",
  ],
  ["RETENTION.totals", "`0`", "For the totals by hour and by day, which outlive the interceptions."],
  [
    "RETENTION.max_gb",
    "`8`",
    "Size of the database in gigabytes (10^9 bytes) above which its oldest rows are deleted, regardless of their age. D1 takes 10. `0`: no bound.",
  ],
  [
    "ADMIN_TOKEN",
    "none",
    "Secret: the SHA-256, in lowercase hex, of the token that the API requires (`npm run keys -- admin`). To rotate, set both hashes with a space between, give readers the new token, then remove the old hash. Without it the API refuses every request.",
  ],
  [
    "SEAL_KEY",
    "none",
    "Secret: the private key of the log of seals (`npm run keys -- seal`). To rotate, set the next key and the present one with a blank between, wait for a checkpoint, then remove the present one. Without it nothing is sealed.",
  ],
]);

export const CONFIG_KEYS: readonly ConfigKey[] = [
  ...PROVIDERS,
  ...IDENTITY,
  ...OWNER_ASSERTION,
  ...DELEGATION,
  ...RECORDING,
  ...PRICES,
  ...BUDGETS,
  ...LIMITS,
  ...CORS,
  ...GATEWAY,
  ...SEALS,
  ...CONSOLE,
  ...RECORDS,
];
