/**
 * Why we answer instead of the upstream. A refusal is a value that floors return: rich inside (`detail`, for the
 * operator's log), vague outside (the table's sentence, the same for every caller).
 *
 * The body's shape is the dialect's business (`provider/`); this file holds reason, status and sentence.
 */

const REASONS = {
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
  credential_unknown: [401, "The credential is not known here."],
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
  // ourselves
  misconfigured: [500, "The gateway is not configured correctly."],
  internal: [500, "The gateway failed."],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type RefusalReason = keyof typeof REASONS;

/** Every reason with its status and public sentence, for docs/reference.md. */
export const REFUSAL_REASONS: Readonly<Record<RefusalReason, readonly [number, string]>> = REASONS;

export class Refusal {
  readonly reason: RefusalReason;
  readonly status: number;
  /** What the client is told. Never holds anything the client sent, nor anything secret. */
  readonly message: string;
  /** For the operator's log: never sent to the client, and never a secret, as logs are read by many. */
  readonly detail: string | null;
  /** The field or parameter concerned: a fixed name of ours, or to the admin alone a plain word that should be one. */
  readonly param: string | null;

  constructor(reason: RefusalReason, detail: string | null = null, param: string | null = null) {
    const [status, message] = REASONS[reason];
    this.reason = reason;
    this.status = status;
    this.message = param === null ? message : `${message} (${param})`;
    this.detail = detail;
    this.param = param;
  }
}
