/**
 * `POST /explain`: what would happen to a request that is only described. The gateway reads the input and makes the
 * explanation, already redacted; the records Worker documents both. The JSON schemas of both
 * are in explanation-schema.ts, which the gateway does not need.
 */
import type { Attribution, Candidate, Flag } from "./vocabulary.ts";

/** An explanation: it holds no key, credential or other header value. */
export type Explanation = {
  readonly destination: "provider" | "api" | "base" | "not_found";
  readonly route: {
    readonly provider: string;
    readonly provider_type: string;
    readonly route: string;
    readonly kind: "intercept" | "passthrough";
  } | null;
  readonly client: string | null;
  readonly presented: {
    readonly identity: ExplainedCredential | null;
    readonly assertion: ExplainedCredential | null;
    readonly own: ExplainedCredential | null;
  } | null;
  readonly delegation: "off" | "absent" | "rejected" | "accepted";
  readonly actor: {
    readonly id: string;
    readonly kind: string;
    readonly name: string | null;
    readonly source: string;
    readonly verified: boolean;
    readonly key_id: string;
    readonly may_assert: boolean | null;
  } | null;
  readonly initiator: {
    readonly id: string;
    readonly source: string;
    readonly name: string | null;
    readonly attribution: Attribution;
  } | null;
  readonly rule: string | null;
  readonly signature: string | null;
  readonly directory: string | null;
  readonly candidates: readonly Candidate[];
  readonly undecided: "signature" | null;
  readonly flags: readonly Flag[];
  readonly budgets: readonly ExplainedBudget[] | null;
  readonly refusal: {
    readonly reason: string;
    readonly status: number;
    readonly message: string;
    readonly detail: string | null;
  } | null;
  readonly upstream_key: {
    readonly kind: "centralized" | "byok";
    readonly header: string;
    readonly key_id: string | null;
  } | null;
};

/** One account that the request would be charged to. Amounts are in the measure's unit; dollars in millionths. */
export type ExplainedBudget = {
  readonly rule: string;
  readonly subject_kind: string;
  readonly subject_source: string | null;
  readonly subject_id: string | null;
  readonly measure: string;
  readonly would_reserve: number | null;
  readonly spent: number | null;
  readonly reserved: number | null;
  readonly limit: number;
  readonly resets_at: string | null;
};

export type ExplainedCredential = { readonly header: string; readonly key_id: string };

export const EXPLAIN_METHOD = "^[A-Z]{1,16}$";
export const EXPLAIN_SHA256 = "^[0-9a-f]{64}$";
/** The most headers that a description may have. */
export const MAX_EXPLAIN_HEADERS = 512;

/** Field → what a valid value is, for the error response. */
export const EXPLAIN_RULES: Readonly<Record<string, string>> = {
  body: "an object of path, headers, method, body_sha256, model, body_bytes and output_limit, and nothing else",
  model: "must be 1 to 256 characters",
  body_bytes: "a whole number that is not negative",
  output_limit: "a whole number that is not negative",
  method: "a method in upper case",
  path: "a path that begins with /",
  headers: `an object or a list of [name, value], of at most ${MAX_EXPLAIN_HEADERS} headers that HTTP can carry`,
  body_sha256: "64 lower-case hex digits",
};
