/** Each provider's own error bodies, with the original wording: clients match on it. */
import type { Dialect, JsonReply } from "./reply.ts";
import { json } from "./reply.ts";

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

export type OpenAiErrorFields = { readonly type?: string; readonly param?: string; readonly code?: string };

export function openAiError(status: number, message: string, fields: OpenAiErrorFields = {}): JsonReply {
  const type = fields.type ?? (status < 500 ? "invalid_request_error" : "server_error");
  return json({ error: { message, type, param: fields.param ?? null, code: fields.code ?? null } }, status);
}

/** `request_id` is added when the reply is sent, because it repeats the `request-id` header. */
export function anthropicError(status: number, message: string): JsonReply {
  const type = ANTHROPIC_TYPES[status] ?? "api_error";
  return json({ type: "error", error: { type, message } }, status);
}

export function missingCredentials(dialect: Dialect): JsonReply {
  if (dialect === "anthropic") return anthropicError(401, "x-api-key header is required");
  return openAiError(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
  );
}

export function badJson(dialect: Dialect): JsonReply {
  if (dialect === "anthropic") return anthropicError(400, "The request body is not valid JSON");
  return openAiError(400, "We could not parse the JSON body of your request.");
}

/** `name`: the required field that the request lacks. */
export function missingField(dialect: Dialect, name: string): JsonReply {
  if (dialect === "anthropic") return anthropicError(400, `${name}: Field required`);
  return openAiError(400, `Missing required parameter: '${name}'.`, {
    param: name,
    code: "missing_required_parameter",
  });
}

export function notFound(dialect: Dialect, method: string, path: string): JsonReply {
  if (dialect === "anthropic") return anthropicError(404, "Not found");
  return openAiError(404, `Invalid URL (${method} ${path})`);
}

export function statusFault(dialect: Dialect, status: number, model: string): JsonReply {
  if (dialect === "anthropic")
    return anthropicError(status, ANTHROPIC_FAULTS[status] ?? "Internal server error");
  if (status !== 429) {
    return openAiError(status, "The server had an error while processing your request. Sorry about that!");
  }
  return openAiError(
    status,
    `Rate limit reached for ${model} in organization org-emulated on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 1s.`,
    { type: "requests", code: "rate_limit_exceeded" },
  );
}

const ANTHROPIC_FAULTS: Readonly<Record<number, string>> = {
  429: "This request would exceed your organization's rate limit of 3 requests per minute.",
  529: "Overloaded",
};
