import { describe, expect, it } from "vitest";
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import {
  RECORDS_REFUSALS,
  RecordsRefusal,
  type RecordsRefusalCode,
} from "../../src/shared/records-refusal.ts";
import { Refusal, REFUSALS, type RefusalCode } from "../../src/shared/refusal.ts";

const ID = "01a20846-fe00-7abc-8def-0123456789ab";

/** Code, status, and the error's type in OpenAI's and in Anthropic's dialect. */
const TABLE: readonly (readonly [RefusalCode, number, string, string])[] = [
  ["not_found", 404, "not_found_error", "not_found_error"],
  ["v1_doubled", 404, "not_found_error", "not_found_error"],
  ["v1_missing", 404, "not_found_error", "not_found_error"],
  ["bad_path", 404, "not_found_error", "not_found_error"],
  ["url_too_long", 414, "invalid_request_error", "invalid_request_error"],
  ["method_not_allowed", 405, "invalid_request_error", "invalid_request_error"],
  ["websocket_unsupported", 426, "invalid_request_error", "invalid_request_error"],
  ["loop", 508, "server_error", "api_error"],
  ["credential_missing", 401, "authentication_error", "authentication_error"],
  ["credential_malformed", 401, "authentication_error", "authentication_error"],
  ["aws_signature_unsupported", 401, "authentication_error", "authentication_error"],
  ["invalid_credential", 401, "authentication_error", "authentication_error"],
  ["byok_not_accepted", 401, "authentication_error", "authentication_error"],
  ["cross_origin", 403, "permission_error", "permission_error"],
  ["provider_key_missing", 401, "authentication_error", "authentication_error"],
  ["delegation_rejected", 401, "authentication_error", "authentication_error"],
  ["identity_unavailable", 503, "server_error", "api_error"],
  ["owner_rejected", 400, "invalid_request_error", "invalid_request_error"],
  ["signature_required", 401, "authentication_error", "authentication_error"],
  ["body_too_large", 413, "invalid_request_error", "request_too_large"],
  ["body_encoded", 415, "invalid_request_error", "invalid_request_error"],
  ["body_type_unsupported", 415, "invalid_request_error", "invalid_request_error"],
  ["json_required", 415, "invalid_request_error", "invalid_request_error"],
  ["body_encoding_invalid", 400, "invalid_request_error", "invalid_request_error"],
  ["upload_not_signed", 413, "invalid_request_error", "request_too_large"],
  ["body_unexpected", 400, "invalid_request_error", "invalid_request_error"],
  ["body_incomplete", 400, "invalid_request_error", "invalid_request_error"],
  ["body_timeout", 408, "invalid_request_error", "invalid_request_error"],
  ["body_invalid", 400, "invalid_request_error", "invalid_request_error"],
  ["form_invalid", 400, "invalid_request_error", "invalid_request_error"],
  ["field_invalid", 400, "invalid_request_error", "invalid_request_error"],
  ["field_repeated", 400, "invalid_request_error", "invalid_request_error"],
  ["field_forbidden", 403, "permission_error", "permission_error"],
  ["budget_exceeded", 403, "permission_error", "permission_error"],
  ["budget_unpriced", 403, "permission_error", "permission_error"],
  ["budget_attribution", 403, "permission_error", "permission_error"],
  ["budget_unavailable", 503, "server_error", "api_error"],
  ["rate_limited", 429, "rate_limit_error", "rate_limit_error"],
  ["model_not_allowed", 403, "permission_error", "permission_error"],
  ["objects_not_allowed", 403, "permission_error", "permission_error"],
  ["object_not_yours", 404, "not_found_error", "not_found_error"],
  ["objects_unavailable", 503, "server_error", "api_error"],
  ["model_not_found", 404, "not_found_error", "not_found_error"],
  ["upstream_unreachable", 502, "server_error", "api_error"],
  ["upstream_redirected", 502, "server_error", "api_error"],
  ["upstream_key_rejected", 502, "server_error", "api_error"],
  ["upstream_token_unavailable", 503, "server_error", "api_error"],
  ["upstream_key_leaked", 502, "server_error", "api_error"],
  ["models_not_filtered", 502, "server_error", "api_error"],
  ["upstream_timeout", 504, "server_error", "api_error"],
  ["circuit_open", 503, "server_error", "api_error"],
  ["provider_busy", 503, "server_error", "api_error"],
  ["recording_unavailable", 503, "server_error", "api_error"],
  ["admin_only", 401, "authentication_error", "authentication_error"],
  ["scope_missing", 403, "permission_error", "permission_error"],
  ["csrf_rejected", 403, "permission_error", "permission_error"],
  ["filter_invalid", 400, "invalid_request_error", "invalid_request_error"],
  ["filter_unknown", 400, "invalid_request_error", "invalid_request_error"],
  ["ledger_unavailable", 503, "server_error", "api_error"],
  ["records_unavailable", 503, "server_error", "api_error"],
  ["gateway_busy", 503, "server_error", "api_error"],
  ["misconfigured", 500, "server_error", "api_error"],
  ["internal", 500, "server_error", "api_error"],
];

function body(dialect: typeof openai, { status, message, code, data }: Refusal): unknown {
  return dialect.errorBody({ status, message, code, param: data.param ?? null, interceptionId: ID });
}

describe("a refusal", () => {
  it.each(TABLE)("%s has status %i and each dialect's body", (code, status, openaiType, anthropicType) => {
    const refusal = new Refusal(code, { detail: "for the operator only" });
    expect(refusal.status).toBe(status);
    expect(body(openai, refusal)).toEqual({
      error: { message: refusal.message, type: openaiType, param: null, code },
    });
    expect(body(anthropic, refusal)).toEqual({
      type: "error",
      error: { type: anthropicType, message: refusal.message },
      request_id: ID,
    });
  });

  /** Every other one is final: the SDKs would repeat it for minutes before they show it. */
  const RETRYABLE: readonly RefusalCode[] = [
    "body_incomplete",
    "body_timeout",
    "budget_unavailable",
    "circuit_open",
    "gateway_busy",
    "identity_unavailable",
    "internal",
    "ledger_unavailable",
    "objects_unavailable",
    "provider_busy",
    "rate_limited",
    "recording_unavailable",
    "records_unavailable",
    "upstream_key_leaked",
    "upstream_key_rejected",
    "upstream_timeout",
    "upstream_token_unavailable",
    "upstream_unreachable",
  ];

  it("is final unless a retry can cure it", () => {
    const retryable = TABLE.map(([code]) => code).filter((code) => !new Refusal(code).isFinal);
    expect(retryable.toSorted()).toEqual(RETRYABLE);
    // No status that requests a retry is final.
    const transient = TABLE.filter(([, status]) => [408, 429, 503, 504].includes(status)).map(
      ([code]) => code,
    );
    expect(transient.filter((code) => !RETRYABLE.includes(code))).toEqual([]);
  });

  it("is in the table above, each code once", () => {
    expect(TABLE.map(([code]) => code).toSorted()).toEqual(Object.keys(REFUSALS).toSorted());
  });

  it.each([
    [429, "rate_limit_error", "rate_limit_error"],
    [529, "server_error", "overloaded_error"],
  ])("with status %i has its own type, for future limits", (status, openaiType, anthropicType) => {
    const error = { status, message: "m", code: "c", param: null, interceptionId: ID };
    expect(openai.errorBody(error)).toMatchObject({ error: { type: openaiType } });
    expect(anthropic.errorBody(error)).toMatchObject({ error: { type: anthropicType } });
  });

  it("has the table's message and the field at fault, never the detail", () => {
    const refusal = new Refusal("field_invalid", { detail: "CANARY", param: "stream" });
    const [, message] = REFUSALS.field_invalid;
    expect(refusal.message).toBe(`${message} (stream)`);
    expect(refusal.data.param).toBe("stream");
    expect(refusal.data.detail).toBe("CANARY");
    expect(JSON.stringify([body(openai, refusal), body(anthropic, refusal)])).not.toContain("CANARY");
  });

  it("has a message that is a sentence and quotes nothing", () => {
    for (const [status, message] of Object.values({ ...REFUSALS, ...RECORDS_REFUSALS })) {
      expect(message).toMatch(/^[A-Z].*\.$/);
      expect(message).not.toMatch(/[`"{}<>$]/);
      expect(status).toBeGreaterThanOrEqual(400);
    }
  });
});

/** Code, status, and whether a client should repeat the request. Their body is that of the API or of the console. */
const RECORDS_TABLE: readonly (readonly [RecordsRefusalCode, number, boolean])[] = [
  ["console_not_here", 404, false],
  ["event_not_found", 404, false],
  ["event_not_sealed", 409, false],
  ["event_before_seals", 409, false],
  ["checkpoint_not_found", 404, false],
  ["seals_off", 409, false],
  ["gateway_unavailable", 503, true],
];

describe("a refusal of the records Worker alone", () => {
  it.each(RECORDS_TABLE)("%s has status %i", (code, status, isRetryable) => {
    const refusal = new RecordsRefusal(code, { detail: "CANARY", param: "id" });
    expect([refusal.code, refusal.status, refusal.isFinal]).toEqual([code, status, !isRetryable]);
    expect(refusal.message).toBe(`${RECORDS_REFUSALS[code][1]} (id)`);
  });

  it("is in the table above, each code once, and its code is in no other table", () => {
    expect(RECORDS_TABLE.map(([code]) => code).toSorted()).toEqual(Object.keys(RECORDS_REFUSALS).toSorted());
    expect(Object.keys(RECORDS_REFUSALS).filter((code) => Object.hasOwn(REFUSALS, code))).toEqual([]);
  });
});
