/** OpenAI's API: https://platform.openai.com/docs/api-reference. A client's base URL ends in `/v1`. */
import { openaiHeaders } from "./forwarded-headers.ts";
import { chatConversation } from "./chat-conversation.ts";
import { BATCH, MODEL_RUNS } from "./model-runs.ts";
import { chatFields, responsesFields } from "./request-fields.ts";
import { chatReader, isUsageOnly } from "./chat-response.ts";
import { responsesConversation } from "./responses-conversation.ts";
import { responsesReader } from "./responses-response.ts";
import { asName } from "../usage.ts";
import type { BatchFile, BatchResult, Dialect, DialectRoute } from "../provider.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

const management = (path: string, objects: "listed" | "by_id") => ({
  kind: "passthrough" as const,
  path,
  below: true,
  runsModel: "no" as const,
  objects,
});
const modelRun = (path: string, below: boolean): DialectRoute => ({
  kind: "passthrough",
  path,
  below,
  runsModel: "named",
});

export const openai: Dialect = {
  type: "openai",
  mount: "/v1",
  distinguishingHeaders: [],
  routes: [
    {
      kind: "intercept",
      path: "/chat/completions",
      api: {
        requestFields: chatFields,
        conversation: chatConversation,
        outputLimits: ["max_tokens", "max_completion_tokens"],
        createReader: chatReader,
        isUsageOnly,
      },
    },
    {
      kind: "intercept",
      path: "/responses",
      api: {
        requestFields: responsesFields,
        conversation: responsesConversation,
        outputLimits: ["max_output_tokens"],
        createReader: responsesReader,
        createsObject: true,
        isUsageOnly: null,
      },
    },
    ...MODEL_RUNS,
    // Counts the tokens of a request: the path names no object, the body may.
    {
      kind: "passthrough",
      path: "/responses/input_tokens",
      below: false,
      runsModel: "named",
      isFree: true,
      objects: "by_id",
    },
    { kind: "passthrough", path: "/responses/*", below: true, runsModel: "named", objects: "by_id" },
    { ...management("/models", "listed"), listsModels: true },
    management("/conversations", "by_id"),
    modelRun("/images/*", true),
    modelRun("/audio/*", true),
    management("/files", "listed"),
    {
      kind: "passthrough",
      path: "/batches",
      below: true,
      runsModel: "hidden",
      creates: BATCH,
      objectNames: ["output_file_id", "error_file_id"],
      objects: "listed",
    },
  ],
  retrievals: [
    { reads: "usage", path: /^\/responses\/([^/]+)$/, readLine: null, createReader: responsesReader },
    // A batch's results are in a file. The reader knows the usage objects of all its APIs.
    {
      reads: "usage",
      path: /^\/files\/([^/]+)\/content$/,
      readLine: batchResult,
      createReader: chatReader,
    },
    { reads: "batches", path: /^\/batches(?:\/[^/]+)?$/, readBatches: batchFiles },
  ],
  keyForm: /^sk-(?!ant)/,
  forwardedHeaders: openaiHeaders,
  keyHeader: (key) => ["authorization", `Bearer ${key}`],
  // OpenAI accepts only bearer tokens.
  ownKeyHeader: (key) => ["authorization", `Bearer ${key}`],
  // https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
  rateLimitHeaders: ({ measure, limit, remaining, resetMs }) => [
    [`x-ratelimit-limit-${measure}`, String(limit)],
    [`x-ratelimit-remaining-${measure}`, String(remaining)],
    [`x-ratelimit-reset-${measure}`, `${Math.ceil(resetMs / 1000)}s`],
  ],
  errorBody: ({ status, message, code, param }) => ({
    error: { message, type: errorType(status), param, code },
  }),
};

function errorType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 404) return "not_found_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/**
 * The files of one batch or of a list of batches. The file of failed requests is left out: it has no usage.
 * https://platform.openai.com/docs/api-reference/batch/object
 */
function batchFiles(body: unknown): BatchFile[] {
  const { data, ...batch } = asObject(body) ?? {};
  const batches = Array.isArray(data) ? data.map(asObject) : [batch];
  return batches.flatMap((listed) => {
    const batchId = asName(listed?.["id"]);
    const fileId = asName(listed?.["output_file_id"]);
    return batchId === null || fileId === null ? [] : [{ batchId, fileId }];
  });
}

/** https://platform.openai.com/docs/api-reference/batch/request-output */
function batchResult({ custom_id: customId, response }: JsonObject): BatchResult | null {
  const body = asObject(asObject(response)?.["body"]);
  return body && { customId, response: body };
}
