/**
 * Why we answer instead of the upstream. A refusal is a value that floors return: rich inside (`detail`, for the
 * operator's log), vague outside (the table's sentence, the same for every caller).
 *
 * The body's shape is the dialect's business (`provider/`); this file holds reason, status and sentence.
 */

const CODES = {
  // routing
  not_found: [404, "There is no such route here."],
  bad_path: [404, "There is no such route here."],
  url_too_long: [414, "The request's URL is too long."],
  method_not_allowed: [405, "This route does not take that method."],
  websocket_unsupported: [426, "WebSocket is not supported here; send the request over HTTP."],
  loop: [508, "This request has already been through an interceptor."],
  // identity
  credential_missing: [
    401,
    "No credential: send it in X-Coder-AI-Governance-Token, Authorization (Bearer) or X-Api-Key.",
  ],
  credential_malformed: [
    401,
    "The credential is malformed: send exactly one, as a bearer token or in X-Api-Key.",
  ],
  invalid_credential: [401, "The credential is not known here."],
  byok_not_accepted: [
    401,
    "This provider is called with the gateway's own key: send a client key issued for this gateway, not a provider key.",
  ],
  provider_key_missing: [
    401,
    "You are known here, but the provider's key is missing: the gateway holds none for this provider, so send your identity in X-Coder-AI-Governance-Token and your own provider key in Authorization or X-Api-Key.",
  ],
  delegation_rejected: [401, "The gateway that speaks for you was not accepted here."],
  identity_unavailable: [503, "Who is calling could not be established just now."],
  owner_rejected: [400, "X-Coder-Owner-Id was not accepted."],
  signature_required: [401, "X-Coder-Owner-Id must come with a good signature."],
  // body
  body_too_large: [413, "The request's body is too large."],
  body_encoded: [415, "The request's body must not be compressed (no Content-Encoding)."],
  body_unexpected: [400, "A request of this method takes no body."],
  body_incomplete: [400, "The request's body could not be read to its end."],
  body_invalid: [400, "The request's body is not a JSON object in UTF-8, or nests too deeply."],
  field_invalid: [400, "A field of the request's body has the wrong type."],
  field_repeated: [400, "A field of the request's body is given more than once."],
  // policy
  model_not_allowed: [403, "This model is not allowed here."],
  // upstream
  upstream_unreachable: [502, "The provider could not be reached."],
  upstream_redirected: [502, "The provider answered with a redirect, which is not followed."],
  upstream_key_rejected: [502, "The provider did not accept the gateway's own key."],
  upstream_timeout: [504, "The provider did not answer in time."],
  // the ledger and the API over it
  recording_unavailable: [
    503,
    "The request could not be recorded, and nothing is forwarded unrecorded here.",
  ],
  admin_only: [401, "Send the admin token in Authorization (Bearer) or Coder-Session-Token."],
  filter_invalid: [400, "A query parameter is not valid."],
  filter_unknown: [400, "A query parameter is not known here."],
  ledger_unavailable: [503, "The ledger could not be read just now."],
  records_unavailable: [503, "The records API is not available: this gateway has no records Worker bound."],
  // ourselves
  misconfigured: [500, "The gateway is not configured correctly."],
  internal: [500, "The gateway failed."],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type RefusalCode = keyof typeof CODES;

/** Every reason with its status and public sentence, for docs/reference.md. */
export const REFUSALS: Readonly<Record<RefusalCode, readonly [number, string]>> = CODES;

/** What a refusal knows beyond its code. */
export type RefusalData = {
  /** For the operator's log: never sent to the client, and never a secret, because logs have many readers. */
  readonly detail?: string;
  /** The field or parameter at fault: a fixed name, or in the API a plain word that should be one. */
  readonly param?: string;
};

export class Refusal {
  readonly code: RefusalCode;
  readonly data: RefusalData;

  constructor(code: RefusalCode, data: RefusalData = {}) {
    this.code = code;
    this.data = data;
  }

  /** The HTTP status of the response. */
  get status(): number {
    return CODES[this.code][0];
  }

  /** The text for the client. It never holds anything that the client sent, nor a secret. */
  get message(): string {
    const message = CODES[this.code][1];
    return this.data.param === undefined ? message : `${message} (${this.data.param})`;
  }
}
