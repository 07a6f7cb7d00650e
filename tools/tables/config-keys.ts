/** What each configuration key does, for the README. A test holds the keys and defaults against the code that reads them. */

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
  key("IDENTITY[].source", "`byok`", "`byok` or `keys`; the first source that knows the credential decides"),
  key(
    "OWNER_ASSERTION.allow",
    "`any`",
    "who may assert an owner: `any` actor, those `listed`, or `off`; a client key's own `assert` narrows `any` and counts as listed",
  ),
  key("OWNER_ASSERTION.actors", "none", "actor ids that count as listed"),
  key(
    "OWNER_ASSERTION.on_invalid",
    "`ignore`",
    "`ignore`: the actor stays, the rejection is recorded · `reject`: 400 as well",
  ),
  key("OWNER_ASSERTION.signature", "`off`", "only `off` as yet"),
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
  key("RETENTION_DAYS", "`60`", "days after which `LEDGER` forgets; `0` is never"),
  key(
    "ADMIN_TOKEN",
    "none",
    "secret: the SHA-256, in lower-case hex, of the token that may ask the API (`npm run keys -- admin`); without it nobody may",
  ),
];
