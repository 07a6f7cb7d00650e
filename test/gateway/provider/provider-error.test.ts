/** Which responses are errors, and the names of errors. */
import { describe, expect, it } from "vitest";
import { findFailure, nameError, readProviderError } from "../../../src/gateway/provider/provider-error.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";

const TEXT = "the prompt CANARY was rejected";

describe("findFailure", () => {
  it.each<readonly [unknown, string]>([
    [{ error: { error: { type: "overloaded_error" } } }, "overloaded_error"],
    [{ detail: { error: { type: "quota_error", message: TEXT } } }, "quota_error"],
    [{ error: '{"error":{"code":"model_not_found"}}' }, "model_not_found"],
    [{ error: "Bad Request", message: TEXT, statusCode: 400 }, "invalid_request_error"],
    [{ success: false, message: TEXT }, "error"],
    [{ status: false, message: TEXT }, "error"],
    [{ ok: false, message: TEXT }, "error"],
    [{ code: 401, msg: TEXT }, "authentication_error"],
    [{ error_code: 336_003, error_msg: TEXT }, "error"],
    [{ errorCode: "QUOTA_EXCEEDED", errorMessage: TEXT }, "QUOTA_EXCEEDED"],
    [{ code: "Arrearage", message: TEXT, choices: null }, "Arrearage"],
    [{ base_resp: { status_code: 1002, status_msg: TEXT } }, "error"],
    [{ message: TEXT, statusCode: 429 }, "rate_limit_error"],
    [{ type: "https://example.com/problems/quota", title: TEXT, status: 403 }, "permission_error"],
  ])("finds an error in the body %j, named %s", (body, name) => {
    expect(readProviderError(findFailure(body), KEEP_NONE)).toEqual({ error: name, errorMessage: null });
  });

  it.each<readonly [unknown]>([
    [{ code: 0, message: "success" }],
    [{ code: 200, msg: "ok" }],
    [{ ok: true, message: TEXT }],
    [{ code: 200, message: "ok" }],
    [{ code: "Success", message: "done" }],
    [{ status: "completed", message: "done" }],
    [{ status: true, message: "done" }],
    [{ type: { name: "note" }, status: [], message: "done" }],
    [{ base_resp: { status_code: 0, status_msg: "success" }, choices: [] }],
    [{ choices: [], code: 500, message: TEXT, detail: TEXT, errors: [TEXT] }],
    [{ output: [], type: "server_error", message: TEXT, success: false }],
    [{ content: "", detail: TEXT }],
    [{ error: null, errors: [], detail: null, success: true }],
    [{ error: { message: "", type: "", param: null, code: 0 }, choices: [{}] }],
    [{ error: { message: null, details: [] }, detail: "" }],
    [{ error: "None" }],
    [{ message: TEXT }],
  ])("finds none in the body %j", (body) => {
    expect(findFailure(body)).toBeUndefined();
  });

  it.each<readonly [unknown, boolean]>([
    [{ type: "status", message: "Searching" }, false],
    [{ type: "status", status: false, message: "Searching" }, false],
    [{ type: "notice", status: "in_progress", message: "Thinking", code: 102 }, false],
    [{ type: "overloaded", message: "busy" }, true],
    [{ code: 503, message: "busy" }, true],
    [[{ error: { status: "UNAVAILABLE" } }], true],
  ])("tells an error from progress in the event %j: %s", (event, isError) => {
    expect(findFailure(event, "event") !== undefined).toBe(isError);
  });
});

describe("the name of an error", () => {
  // Attack: a recursion as deep as the body would end the observation, and the record would have no end.
  it.each([
    ['{"error":', "}"],
    ['{"detail":', "}"],
    ['{"error":[', "]}"],
    ['{"message":"x","error":', "}"],
  ])("is found at any depth of the body: %s", (opens, closes) => {
    for (const times of [1, 5, 100_000]) {
      const body: unknown = JSON.parse(`${opens.repeat(times)}{"type":"x_error"}${closes.repeat(times)}`);
      expect(readProviderError(findFailure(body), KEEP_NONE, 500).error).toBeTruthy();
    }
  });

  // Attack: a text where others have a name would be recorded although messages are not kept.
  it.each(["type", "code", "status", "reason"])("is never a text in %j", (key) => {
    const { error } = readProviderError({ [key]: TEXT, message: TEXT }, KEEP_NONE, 400);
    expect(error).toBe("invalid_request_error");
  });

  // Attack: a message that quotes the prompt, which is JSON, would put the prompt's words into the record.
  it("is not read from JSON inside a message's text", () => {
    const message = `Invalid input: {"error":{"type":"CANARY"}}`;
    expect(readProviderError({ message }, KEEP_NONE, 400).error).toBe("invalid_request_error");
  });

  it("is never empty for an error status", () => {
    for (const status of [400, 401, 418, 429, 500, 502, 529, 599])
      expect(nameError(null, status, new Headers())).toBeTruthy();
  });

  it.each<readonly [string, string, string | null, string]>([
    ["x-amzn-errortype", "ValidationException", null, "ValidationException"],
    [
      "x-amzn-errortype",
      "ThrottlingException:http://internal.amazon.com/coral/x/",
      null,
      "ThrottlingException",
    ],
    ["X-Amzn-ErrorType", "com.amazon.coral.service#AccessDeniedException", "error", "AccessDeniedException"],
    ["x-ms-error-code", "DeploymentNotFound", null, "DeploymentNotFound"],
    ["x-error-code", "GatedRepo", null, "GatedRepo"],
    ["x-amzn-errortype", "ValidationException", "model_not_found", "model_not_found"],
    ["x-amzn-errortype", "", null, "invalid_request_error"],
    ["x-amzn-errortype", TEXT, null, "invalid_request_error"],
    ["x-amzn-errortype", "400", null, "invalid_request_error"],
  ])("is that of the header %s: %j where the body's is %j: %s", (header, value, inBody, name) => {
    expect(nameError(inBody, 400, new Headers({ [header]: value }))).toBe(name);
    expect(nameError(inBody, 200, new Headers({ [header]: value }))).toBe(inBody);
  });

  it("that a header has is truncated to 64 characters", () => {
    expect(nameError(null, 400, new Headers({ "x-error-code": "e".repeat(5000) }))).toBe("e".repeat(64));
  });
});

describe.each([
  ["chat", chatReader],
  ["responses", responsesReader],
  ["messages", messagesReader],
] as const)("an error event of %s", (_, createReader) => {
  it.each(["out of memory", "", '"text"', "7", "null", "[]", "{}", "{", '[{"error":"x"}]'])(
    "is an error with the data %j",
    (data) => {
      const reader = createReader(KEEP_ALL);
      reader.event(data, "error");
      expect(reader.report().error).toBeTruthy();
    },
  );

  it.each(['[{"error":{"status":"UNAVAILABLE"}}]', '{"error":{"error":{"status":"UNAVAILABLE"}}}'])(
    "is one without a name: %j",
    (data) => {
      const reader = createReader(KEEP_NONE);
      reader.event(data, "");
      expect(reader.report().error).toBe("UNAVAILABLE");
    },
  );
});
