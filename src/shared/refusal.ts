/**
 * Why the gateway or the records Worker responds itself. A refusal is a value that steps return. Its message is the same
 * for every caller; its `detail` is for the operator's log only. The dialect (`gateway/provider/`) gives the body its form.
 * The gateway can record each code of this table. Codes of the records Worker alone are in `records-refusal.ts`.
 */

/** The status of a code, and its message. */
export type RefusalRow = readonly [status: number, message: string];

/** The base URL in general form: unknown callers read it, and the providers' names are not for them. */
const BASE_URL_HINT =
  "The base URL ends in /PROVIDER/v1 for OpenAI clients, in /PROVIDER for Anthropic clients, with a configured provider's name.";

const CODES = {
  // Route
  not_found: [404, `This gateway has no such route. ${BASE_URL_HINT}`],
  v1_doubled: [404, "The path repeats /v1, because the client adds it. Remove /v1 from the base URL."],
  v1_missing: [404, "The path lacks /v1. Add /v1 to the end of the base URL."],
  bad_path: [
    404,
    "This gateway has no such route. Send the path without encoded or doubled separators. The base URL must not end in a slash.",
  ],
  url_too_long: [414, "The URL is too long. Shorten the query."],
  method_not_allowed: [405, "This route does not accept the method. The Allow header lists the methods."],
  websocket_unsupported: [426, "WebSocket is not supported. Send the request over HTTP."],
  loop: [
    508,
    "This request has already passed through an interceptor. The base URL of a provider points to the gateway itself.",
  ],
  // Identity
  credential_missing: [
    401,
    "No credential was sent. Send it in X-Coder-AI-Governance-Token, Authorization (Bearer), X-Api-Key, api-key or x-goog-api-key.",
  ],
  credential_malformed: [
    401,
    "The credential is malformed. Send exactly one, as a bearer token or in X-Api-Key, api-key or x-goog-api-key.",
  ],
  aws_signature_unsupported: [
    401,
    "A request that is signed for AWS cannot be forwarded, because the signature is for one host. Have the client skip its AWS authentication, and send a client key as a bearer token or in X-Api-Key.",
  ],
  invalid_credential: [401, "The credential is not valid. Check that it was issued for this gateway."],
  byok_not_accepted: [
    401,
    "This provider is called with the gateway's own key. Send a client key of this gateway, not a provider key.",
  ],
  cross_origin: [
    403,
    "A web page cannot use the login at Cloudflare Access. Send a client key, or call the gateway outside of a browser.",
  ],
  provider_key_missing: [
    401,
    "The credential is valid, but the gateway holds no key for this provider. Send the credential in X-Coder-AI-Governance-Token and your own provider key in Authorization or X-Api-Key.",
  ],
  delegation_rejected: [401, "The delegating gateway was rejected. Check its delegation key and headers."],
  identity_unavailable: [503, "The credential could not be verified. Retry later."],
  owner_rejected: [
    400,
    "X-Coder-Owner-Id was rejected. Send one UUID of version 4 of an active user, with a credential and a client that may set it.",
  ],
  signature_required: [
    401,
    "X-Coder-Owner-Id must be signed. Send it with a valid signature that was not used before.",
  ],
  // Body
  body_too_large: [413, "The request body is too large. Send a shorter one."],
  body_encoded: [
    415,
    "The Content-Encoding of the request body is not supported here. Send the body without Content-Encoding.",
  ],
  json_required: [
    415,
    "With the login at Cloudflare Access, this route accepts JSON. Send the body with Content-Type: application/json.",
  ],
  body_type_unsupported: [
    415,
    "The Content-Type of the request body is not supported here. Send application/json in UTF-8.",
  ],
  body_encoding_invalid: [
    400,
    "The request body does not match its Content-Encoding. Send exactly one complete stream, or no Content-Encoding.",
  ],
  upload_not_signed: [
    413,
    "The provider requires a signature over the whole request body, which a body of this size is not held for. Send a shorter one.",
  ],
  body_unexpected: [400, "This method takes no body. Send the request without one."],
  body_incomplete: [400, "The request body ended early. Send it again."],
  body_timeout: [408, "The request body arrived too slowly. Send it again."],
  body_invalid: [
    400,
    "The request body must be a JSON object in UTF-8, within the limits of depth and number of values.",
  ],
  form_invalid: [
    400,
    "The multipart form could not be read without doubt. Send each field once and unencoded, and at most 256 KiB of other fields between the last file and the model.",
  ],
  field_invalid: [400, "A field of the request body has the wrong type. Correct the field."],
  field_repeated: [
    400,
    "A field of the request body is repeated, or is in another case. Send each field once, in lower case.",
  ],
  field_forbidden: [
    403,
    "A field of the request body is not allowed where models or spending are limited, because it may have the provider run something else. Leave it out.",
  ],
  // Policy
  model_not_allowed: [
    403,
    "This model is not allowed. Use another model, or have the gateway's administrator allow it.",
  ],
  model_not_found: [
    404,
    "This model does not exist, or it is not allowed. The gateway's list of models has those that are.",
  ],
  budget_exceeded: [403, "The request might exceed a budget."],
  budget_unpriced: [
    403,
    "The cost of this request cannot be limited, so a budget does not allow it. Name a model that has a price, or have the gateway's administrator allow it.",
  ],
  budget_attribution: [
    403,
    "A budget requires better evidence of the person on whose account the request is made. Use a credential of your own.",
  ],
  budget_unavailable: [503, "A budget could not be checked. Retry later."],
  rate_limited: [429, "Too many requests. Retry later."],
  objects_not_allowed: [
    403,
    "This credential may not use the provider's stored objects (files, batches, responses, models) in this way. Have the gateway's administrator allow it.",
  ],
  object_not_yours: [
    404,
    "You have no stored object of this id. Use the id of one that you created through this gateway.",
  ],
  objects_unavailable: [
    503,
    "The owner of a stored object could not be determined or stored. Retry later, except for a creation, which may have succeeded.",
  ],
  // Provider
  upstream_unreachable: [502, "The provider could not be reached. Retry later."],
  upstream_redirected: [502, "The provider sent a redirect, which the gateway does not follow."],
  upstream_key_rejected: [
    502,
    "The provider rejected the gateway's own key. Report it to the gateway's administrator.",
  ],
  upstream_token_unavailable: [
    503,
    "The gateway could not get an access token for the provider. Retry later; if it persists, report it to the gateway's administrator.",
  ],
  upstream_key_leaked: [
    502,
    "The provider's response was withheld: it contained a key of the gateway, or could not be searched for one. Report it to the gateway's administrator.",
  ],
  models_not_filtered: [
    502,
    "The provider's list of models could not be reduced to the allowed ones. Report it to the gateway's administrator.",
  ],
  upstream_timeout: [504, "The provider sent no response in time. Retry later."],
  circuit_open: [
    503,
    "The provider has failed several times, and is not called at the moment. Retry after the time in Retry-After.",
  ],
  provider_busy: [
    503,
    "The gateway has as many open calls at this provider as its configuration permits. Retry after the time in Retry-After.",
  ],
  // Records
  recording_unavailable: [503, "The request could not be recorded, so it was not forwarded. Retry later."],
  admin_only: [
    401,
    "The admin token is missing or not valid. Send it in Authorization (Bearer) or Coder-Session-Token.",
  ],
  scope_missing: [
    403,
    "The token or role does not have the scope that this request needs. Use another token, or contact the gateway's administrator.",
  ],
  csrf_rejected: [
    403,
    "The console's own page did not send the request, or the page belongs to an earlier session. Reload the page.",
  ],
  filter_invalid: [400, "A query parameter is not valid. Correct its value."],
  filter_unknown: [400, "A query parameter is not known. Remove it."],
  ledger_unavailable: [503, "The ledger could not be read. Retry later."],
  records_unavailable: [503, "The records API is not available: no records Worker is bound to this gateway."],
  // The Workers themselves
  gateway_busy: [503, "The gateway holds too many request bodies at the moment. Retry in a few seconds."],
  misconfigured: [500, "The gateway's configuration is not valid. Report it to the gateway's administrator."],
  internal: [500, "The gateway failed. Report the interception id to the gateway's administrator."],
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof CODES;

/** Statuses by which a server requests a retry. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 429]);
/** Server errors that last until an operator acts. */
const LASTING: ReadonlySet<string> = new Set<RefusalCode>([
  "loop",
  "misconfigured",
  "models_not_filtered",
  "upstream_redirected",
]);

/** Each code with its status and message. */
export const REFUSALS: Readonly<Record<RefusalCode, RefusalRow>> = CODES;

/** Details of one refusal beyond its code. */
export type RefusalData = {
  /** For the operator's log: never sent to the client, and never a secret, because logs have many readers. */
  readonly detail?: string;
  /** The field or parameter at fault: a fixed name, or in the API a plain word that should be one. */
  readonly param?: string;
  /** For the record: the id of the credential that was rejected, where no later step reads one. */
  readonly keyId?: string;
  /** For the client, after the message: facts about its own budget. Never anything that it sent. */
  readonly note?: string;
  /** A status in place of the code's. */
  readonly status?: number;
  /** Seconds until a retry may succeed. */
  readonly retryAfterS?: number;
  /** The rate limit at fault, for headers in the client's dialect. */
  readonly rate?: RateFacts;
  /** A retry would do more than repeat the request, so clients must not retry by themselves. */
  readonly isFinal?: true;
};

export type RateFacts = {
  readonly measure: "requests" | "tokens" | "concurrent";
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds since 1970, and from now. */
  readonly resetsAt: number;
  readonly resetMs: number;
};

/** A refusal with a code of its class. Each class has its own table, so a Worker's bundle has only the messages that it can send. */
export abstract class TableRefusal<Code extends string> {
  readonly code: Code;
  readonly data: RefusalData;
  readonly #row: RefusalRow;

  constructor(code: Code, data: RefusalData, row: RefusalRow) {
    this.code = code;
    this.data = data;
    this.#row = row;
  }

  /** The HTTP status of the response. */
  get status(): number {
    return this.data.status ?? this.#row[0];
  }

  /** Whether the same request would be refused again, however often a client repeats it. */
  get isFinal(): boolean {
    if (this.data.isFinal) return true;
    if (this.status >= 500) return LASTING.has(this.code);
    return !RETRYABLE.has(this.status) && this.code !== "body_incomplete";
  }

  /** The text for the client. It never holds anything that the client sent, nor a secret. */
  get message(): string {
    const [, message] = this.#row;
    const { param, note } = this.data;
    const noted = note === undefined ? message : `${message} ${note}`;
    return param === undefined ? noted : `${noted} (${param})`;
  }
}

export class Refusal extends TableRefusal<RefusalCode> {
  constructor(code: RefusalCode, data: RefusalData = {}) {
    super(code, data, CODES[code]);
  }
}
