/** Anthropic's API: https://docs.anthropic.com/en/api. A client's base URL has no `/v1`. */
import { anthropicHeaders } from "./forwarded-headers.ts";
import { messagesConversation } from "./messages-conversation.ts";
import { KnownKeys } from "../known-keys.ts";
import { messagesFields } from "./request-fields.ts";
import { messagesReader } from "./messages-response.ts";
import type { Api, BatchResult, Dialect, DialectRoute, RunsModel } from "../provider.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";
import { queuedReader } from "../queued-response.ts";

const passthrough = (
  path: string,
  below: boolean,
  runsModel: RunsModel = "no",
  isProbe = false,
): DialectRoute => ({
  kind: "passthrough",
  path,
  below,
  runsModel,
  isProbe,
});

/** https://docs.anthropic.com/en/api/creating-message-batches */
const BATCH: Api = {
  requestFields: messagesFields,
  conversation: messagesConversation,
  createReader: queuedReader,
  createsObject: true,
  isUsageOnly: null,
  isUnread: true,
};

export const anthropic: Dialect = {
  type: "anthropic",
  mount: "",
  // On Microsoft Foundry and Amazon Bedrock, where base URLs end in it.
  aliases: ["/anthropic"],
  distinguishingHeaders: ["anthropic-version", "x-api-key"],
  routes: [
    {
      kind: "intercept",
      path: "/v1/messages",
      api: {
        requestFields: messagesFields,
        conversation: messagesConversation,
        outputLimits: ["max_tokens"],
        createReader: messagesReader,
        isUsageOnly: null,
      },
    },
    {
      kind: "passthrough",
      path: "/v1/messages/count_tokens",
      below: false,
      runsModel: "named",
      isFree: true,
    },
    {
      kind: "passthrough",
      path: "/v1/messages/batches",
      below: true,
      runsModel: "hidden",
      creates: BATCH,
      objects: "listed",
    },
    {
      kind: "passthrough",
      path: "/v1/models",
      below: true,
      runsModel: "no",
      listsModels: true,
      objects: "listed",
    },
    { kind: "passthrough", path: "/v1/files", below: true, runsModel: "no", objects: "listed" },
    passthrough("/api/event_logging/*", true),
    // Claude Code sends `HEAD /api/hello` when it starts, without a credential.
    passthrough("/api/hello", false, "no", true),
  ],
  retrievals: [
    {
      reads: "usage",
      path: /^\/v1\/messages\/batches\/([^/]+)\/results$/,
      readLine: batchResult,
      createReader: messagesReader,
    },
  ],
  toolArguments: new KnownKeys(["input"]),
  keyForm: /^sk-ant/,
  forwardedHeaders: anthropicHeaders,
  keyHeader: (key) => ["x-api-key", key],
  // A subscription's OAuth token is a bearer token and an API key is not, so each keeps the header it was sent in.
  ownKeyHeader: (key, from) =>
    from === "authorization" ? ["authorization", `Bearer ${key}`] : ["x-api-key", key],
  // https://platform.claude.com/docs/en/api/rate-limits#response-headers
  rateLimitHeaders: ({ measure, limit, remaining, resetsAt }) => [
    [`anthropic-ratelimit-${measure}-limit`, String(limit)],
    [`anthropic-ratelimit-${measure}-remaining`, String(remaining)],
    [`anthropic-ratelimit-${measure}-reset`, new Date(resetsAt).toISOString()],
  ],
  errorBody: ({ status, message, interceptionId }) => ({
    type: "error",
    error: { type: ERROR_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error"), message },
    request_id: interceptionId,
  }),
};

/** https://docs.anthropic.com/en/api/errors */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

/** https://docs.anthropic.com/en/api/retrieving-message-batch-results */
function batchResult({ custom_id: customId, result }: JsonObject): BatchResult | null {
  const message = asObject(asObject(result)?.["message"]);
  return message && { customId, response: message };
}
