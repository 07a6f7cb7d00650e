/** What each configuration key does, for docs/reference.md. A test holds the keys and defaults against the code that reads them. */

export type ConfigKey = { readonly key: string; readonly otherwise: string; readonly does: string };

const key = (name: string, otherwise: string, does: string): ConfigKey => ({ key: name, otherwise, does });

export const CONFIG_KEYS: readonly ConfigKey[] = [
  key("PROVIDERS.<name>.type", "required", "the API's dialect: `openai` or `anthropic`"),
  key(
    "PROVIDERS.<name>.base_url",
    "required",
    "`https://…` (plain `http` only on loopback); what the routes hang under: for `openai` as a rule with `/v1` at its end, for `anthropic` without",
  ),
  key(
    "PROVIDERS.<name>.keys",
    "none",
    "names of secrets with the gateway's own provider keys, one drawn per request; without it the client's own provider key is forwarded",
  ),
  key(
    "PROVIDERS.<name>.models",
    "all",
    "the only models that may be asked for, to the letter; `[]` denies all",
  ),
  key(
    "PROVIDERS.<name>.inject_usage",
    "`true`",
    "ask for usage in chat streams whose client did not, and take that one event out again",
  ),
  key(
    "PROVIDERS.<name>.forward_coder_headers",
    "`false`",
    "forward `X-Coder-*` (never tokens or signatures): only for an upstream that is Coder itself",
  ),
  key(
    "IDENTITY[].source",
    "`byok`",
    "`byok`, `keys`, `coder`, `jwt` or `access`, in the order in which they are asked: the first that knows the credential decides, and where it refuses, no other is asked; what follows belongs to the source in brackets",
  ),
  key(
    "IDENTITY[keys].store",
    "none",
    "name of a KV namespace with further client keys (`npm run keys -- new … --store`), asked after the secret `CLIENT_KEYS`, which may then be absent",
  ),
  key(
    "IDENTITY[keys].cache_ttl_s",
    "`30`",
    "only with `store`: how long a key found there is taken for known, at most 300; with the 60 s of KV's own caches this is how soon a revoked key is refused",
  ),
  key(
    "IDENTITY[coder].url",
    "required",
    "a Coder deployment, whose session tokens and API keys are accepted: only of active users",
  ),
  key(
    "IDENTITY[coder].cache_ttl_s",
    "`60`",
    "how long a token is taken for known, at most 300: a revoked one, or a suspended user's, is refused within this time; while Coder does not answer, who is known stays so for as long and no longer",
  ),
  key(
    "IDENTITY[coder].negative_ttl_s",
    "`10`",
    "how long a token that Coder refused stays refused, at most 300",
  ),
  key("IDENTITY[coder].timeout_ms", "`5000`", "how long Coder may take to answer; then 503"),
  key(
    "IDENTITY[jwt].issuer",
    "required",
    "whose tokens are accepted: to the letter what they have as `iss`, a slash at its end included",
  ),
  key(
    "IDENTITY[jwt].jwks_url",
    "required",
    "where the issuer publishes its keys (`jwks_uri` of its `/.well-known/openid-configuration`); asked every 10 minutes, and if it does not answer, its last keys are used for a day",
  ),
  key("IDENTITY[jwt].audience", "required", "a text or a list, one of which must be in `aud`"),
  key(
    "IDENTITY[jwt].algorithms",
    '`["RS256", "ES256"]`',
    "of RS, PS and ES with 256, 384 and 512, `EdDSA` and `Ed25519`; no other can be named",
  ),
  key(
    "IDENTITY[jwt].actor_claim",
    "`sub`",
    "the claim that is the actor's id: up to 96 of A-Z a-z 0-9 . _ : @ -, the first a letter or digit",
  ),
  key(
    "IDENTITY[jwt].name_claim",
    "none",
    "the claim that is the actor's name, recorded with each interception",
  ),
  key("IDENTITY[jwt].kind", "`user`", "whose tokens these are: a `user`'s or a `service`'s"),
  key("IDENTITY[jwt].service_claim", "none", "a claim that makes a service of whoever has it as `true`"),
  key("IDENTITY[jwt].service_value", "none", "or as this text"),
  key(
    "IDENTITY[jwt].max_age_s",
    "none",
    "the greatest age by `iat`, which is then required; `exp` always is",
  ),
  key("IDENTITY[jwt].clock_tolerance_s", "`30`", "how far the issuer's clock may be off, at most 300"),
  key(
    "IDENTITY[jwt].cooldown_s",
    "`30`",
    "how often at most the issuer is asked for a key that is not known: so late may a new one count",
  ),
  key(
    "IDENTITY[jwt].timeout_ms",
    "`5000`",
    "how long the issuer may take to answer; without any keys then 503",
  ),
  key(
    "IDENTITY[access].team_domain",
    "required",
    "`https://<team>.cloudflareaccess.com`: whose `Cf-Access-Jwt-Assertion` is believed; where that header is sent, it decides, unless a source before this one knows the caller",
  ),
  key("IDENTITY[access].audience", "required", "the Access application's AUD tag, or a list of them"),
  key(
    "IDENTITY[access].own_keys",
    "`ignore`",
    "the client's own provider key beside it goes only to providers without `keys` (`ignore`), or to all (`forward`)",
  ),
  key(
    "OWNER_ASSERTION.allow",
    "`any`",
    "who may assert an owner: `any` actor, verified `service` accounts, those `listed`, or nobody (`off`); a client key's own `assert` narrows `any` and `service`, and counts as listed",
  ),
  key(
    "OWNER_ASSERTION.actors",
    "none",
    "actor ids that count as listed: of any source that verifies, or, as `<source>:<id>`, of that source of `IDENTITY` alone; a fingerprint (`byok:…`) is written whole",
  ),
  key(
    "OWNER_ASSERTION.on_invalid",
    "`ignore`",
    "`ignore`: the actor stays, the rejection is recorded · `reject`: 400 as well",
  ),
  key(
    "OWNER_ASSERTION.signature",
    "`off`",
    "`accept`: an owner that comes with a signature counts only if it is good, as `signed` · `require`: 401 for any other owner ([signing](signing.md))",
  ),
  key(
    "OWNER_ASSERTION.signing_keys",
    "none",
    "names of secrets of at least 32 characters, any of which may have signed: several for rotation",
  ),
  key("OWNER_ASSERTION.replay_cache", "`false`", "each signature counts once; needs the binding `NONCES`"),
  key(
    "OWNER_ASSERTION.directory.url",
    "none",
    "a Coder deployment whose active users alone may be owners; without the table nobody is looked up",
  ),
  key(
    "OWNER_ASSERTION.directory.token",
    "required",
    "name of the secret with a token that may read its users",
  ),
  key(
    "OWNER_ASSERTION.directory.cache_ttl_s",
    "`300`",
    "how long an active user is taken for one: who is suspended stops counting within this time",
  ),
  key("OWNER_ASSERTION.directory.negative_ttl_s", "`30`", "how long anybody else is taken for none"),
  key("OWNER_ASSERTION.directory.timeout_ms", "`3000`", "how long it may take to answer"),
  key(
    "OWNER_ASSERTION.directory.on_down",
    "`reject`",
    "while it does not answer an owner does not count (`reject`), or counts, recorded as `directory: down` (`accept`)",
  ),
  key(
    "DELEGATION.keys",
    "none",
    "names of secrets of at least 32 characters: whoever sends one in `X-Coder-AI-Gateway-Key` is the actor below and may name owners; another key is 401",
  ),
  key("DELEGATION.actor", "`coder-gateway`", "the actor's id, a service account of the source `delegation`"),
  key(
    "RECORDING.required",
    "`false`",
    "forward nothing whose start the ledger, or its queue, has not taken: 503 instead; needs `LEDGER` or `EVENTS`",
  ),
  key("RECORDING.prompts", "`false`", "record what the user wrote; that something was written always is"),
  key(
    "RECORDING.tool_inputs",
    "`false`",
    "record what tools are called with and, of those that the provider runs, what went wrong; their names always are",
  ),
  key("RECORDING.thoughts", "`false`", "record the model's thoughts as far as the provider tells them"),
  key(
    "RECORDING.error_messages",
    "`false`",
    "record the provider's words about an error; its type always is",
  ),
  key(
    "RECORDING.redact",
    "none",
    "regular expressions (JavaScript's, `u`): what they find is taken out of all that is recorded of the above, beside the forms of secrets that always are; trusted to be quick on 20,000 characters",
  ),
  key("LIMITS.body_bytes", "`33554432`", "largest request body"),
  key("LIMITS.headers_ms", "`600000`", "how long a provider may take to send its headers"),
  key("LIMITS.idle_ms", "`300000`", "how long an intercepted answer may be silent"),
  key(
    "LIMITS.observe_bytes",
    "`8388608`",
    "bytes of an answer that are read beside the client's stream; what is larger is forwarded whole, its end not looked at",
  ),
  key("INTERCEPTIONS", "none", "Analytics Engine data set: a row for each interception and passthrough"),
  key("OVERRIDES", "none", "Analytics Engine data set: a row for each owner header"),
  key("LEDGER", "none", "D1 database: the exact record, and what the API answers from"),
  key(
    "EVENTS",
    "none",
    "queue by which events come into `LEDGER` and `ARCHIVE`; without it they are written to `LEDGER` straight after the answer",
  ),
  key("ARCHIVE", "none", "R2 bucket: the same as NDJSON for years, in the queue's batches; needs `EVENTS`"),
  key(
    "NONCES",
    "none",
    "Durable Object namespace of the class `NonceShard`: remembers signatures for `replay_cache`",
  ),
  key("RETENTION_DAYS", "`60`", "days after which `LEDGER` forgets; `0` is never"),
  key(
    "ADMIN_TOKEN",
    "none",
    "secret: the SHA-256, in lower-case hex, of the token that may ask the API (`npm run keys -- admin`); without it nobody may",
  ),
];
