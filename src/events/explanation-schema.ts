/** The JSON schemas of `POST /explain` (explanation.ts), for the API's documentation. */
import * as schema from "../shared/json-schema.ts";
import { EXPLAIN_METHOD, EXPLAIN_SHA256 } from "./explanation.ts";

const HEADER_VALUES = { oneOf: [schema.TEXT, schema.list(schema.TEXT)] };
const HEADER_PAIR = { type: "array", items: schema.TEXT, minItems: 2, maxItems: 2 };

export const EXPLAIN_INPUT_SCHEMA = schema.object(
  {
    method: { ...schema.TEXT, pattern: EXPLAIN_METHOD, default: "POST" },
    path: schema.withDescription(
      { ...schema.TEXT, pattern: "^/" },
      "The path as it would be sent, with its query.",
    ),
    headers: {
      description:
        "Name to value, or a list of names and values. A name given several times counts as if sent several times.",
      oneOf: [{ type: "object", additionalProperties: HEADER_VALUES }, schema.list(HEADER_PAIR)],
    },
    body_sha256: schema.withDescription(
      { ...schema.TEXT, pattern: EXPLAIN_SHA256 },
      "SHA-256 of the body that would be sent: needed for a signature only.",
    ),
    model: schema.withDescription(schema.TEXT, "The body's model: for what budgets would reserve."),
    body_bytes: schema.withDescription(schema.COUNT, "The body's size, for the same; with `model`."),
    output_limit: schema.withDescription(
      schema.COUNT,
      "The body's limit of output tokens, for the same; by default the model's greatest.",
    ),
  },
  ["method", "body_sha256", "model", "body_bytes", "output_limit"],
);

const TEXT_OR_NULL = schema.orNull(schema.TEXT);
const word = (words: readonly string[]): schema.Schema => ({ ...schema.TEXT, enum: words });

const CREDENTIAL = schema.orNull(
  schema.withDescription(
    schema.object({ header: schema.TEXT, key_id: schema.TEXT }),
    "A credential, by its id.",
  ),
);

export const EXPLANATION_SCHEMA = schema.object({
  destination: schema.withDescription(
    word(["provider", "api", "base", "not_found"]),
    "Where the path leads. Only a request to a provider is decided further.",
  ),
  route: schema.orNull(
    schema.object({
      provider: schema.TEXT,
      provider_type: schema.TEXT,
      route: schema.TEXT,
      kind: word(["intercept", "passthrough"]),
    }),
  ),
  client: TEXT_OR_NULL,
  presented: schema.orNull(
    schema.withDescription(
      schema.object({ identity: CREDENTIAL, assertion: CREDENTIAL, own: CREDENTIAL }),
      "The identity credential, Cloudflare Access's assertion, and the client's own provider key.",
    ),
  ),
  delegation: word(["off", "absent", "rejected", "accepted"]),
  actor: schema.orNull(
    schema.object({
      id: schema.TEXT,
      kind: schema.TEXT,
      name: TEXT_OR_NULL,
      source: schema.TEXT,
      verified: schema.FLAG,
      key_id: schema.TEXT,
      may_assert: schema.withDescription(
        schema.orNull(schema.FLAG),
        "Whether the credential itself permits owner assertions; null where it does not say.",
      ),
    }),
  ),
  initiator: schema.orNull(
    schema.object({ id: schema.TEXT, source: schema.TEXT, name: TEXT_OR_NULL, attribution: schema.TEXT }),
  ),
  rule: schema.withDescription(TEXT_OR_NULL, "The rule that permitted the owner assertion, or denied it."),
  signature: schema.withDescription(
    TEXT_OR_NULL,
    "`valid`, `absent`, `off`, or why it was rejected; null where it was not checked.",
  ),
  directory: schema.withDescription(
    TEXT_OR_NULL,
    "The directory's result for the owner, or `off`; null where it was not queried.",
  ),
  candidates: schema.list(
    schema.object({ who: word(["owner", "actor"]), id: TEXT_OR_NULL, rejection_reason: TEXT_OR_NULL }),
  ),
  undecided: schema.withDescription(
    { ...TEXT_OR_NULL, enum: ["signature", null] },
    "The check that needs the body: send `body_sha256`.",
  ),
  upstream_key: schema.orNull(
    schema.withDescription(
      schema.object({ kind: word(["centralized", "byok"]), header: schema.TEXT, key_id: TEXT_OR_NULL }),
      "The key that the provider would get. The id is that of a client's own key; a central key is drawn per request.",
    ),
  ),
  flags: schema.list(schema.TEXT),
  budgets: schema.withDescription(
    schema.orNull(
      schema.list(
        schema.object({
          rule: schema.withDescription(schema.TEXT, "`budget:` or `rate:`, and the rule's name."),
          subject_kind: schema.TEXT,
          subject_source: TEXT_OR_NULL,
          subject_id: TEXT_OR_NULL,
          measure: schema.TEXT,
          would_reserve: schema.withDescription(
            schema.orNull(schema.COUNT),
            "The most that the request might use; null where the description has no `model`.",
          ),
          spent: schema.withDescription(
            schema.orNull(schema.COUNT),
            "null where the object did not respond.",
          ),
          reserved: schema.orNull(schema.COUNT),
          limit: schema.COUNT,
          resets_at: schema.orNull(schema.TIME),
        }),
      ),
    ),
    "The accounts that the request would be charged to; null where nothing is limited, or it is not decided.",
  ),
  refusal: schema.orNull(
    schema.object({
      reason: schema.TEXT,
      status: schema.COUNT,
      message: schema.TEXT,
      detail: schema.withDescription(TEXT_OR_NULL, "For the operator; never sent to clients."),
    }),
  ),
});
