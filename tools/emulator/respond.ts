/** Maps a request to its reply: credentials, endpoint, required fields, fault. Sends nothing. */
import type { IncomingHttpHeaders } from "node:http";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import * as errors from "./errors.ts";
import { faultOf, type Fault } from "./faults.ts";
import { isObject, stringAt, type JsonObject } from "./json.ts";
import { quirkOf, type Quirk } from "./quirks.ts";
import { rejectKey } from "./keys.ts";
import { listModels, oneModel } from "./models.ts";
import { json, type Dialect, type Reply } from "./reply.ts";

/** A request without its body. */
export type RequestHead = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly dialect: Dialect;
};
export type ReplyWithFault = { readonly reply: Reply; readonly fault?: Fault };

export function respond({ method, path, headers, dialect }: RequestHead, body: string): ReplyWithFault {
  // Claude Code sends this probe before its first message, without credentials.
  if (path === "/" || path === "/api/hello") return { reply: json({ message: "hello" }) };
  if (!hasCredentials(headers, dialect)) return { reply: errors.missingCredentials(dialect) };
  const rejected = rejectKey(headers, dialect, path);
  if (rejected) return { reply: rejected };
  // Codex tries a WebSocket first; this status makes it fall back to a plain request at once.
  if (headers.upgrade !== undefined)
    return { reply: errors.openAiError(426, "This endpoint does not support WebSocket here.") };
  const endpoint = ENDPOINTS[path];
  if (endpoint !== undefined && method === "POST") return respondAt(endpoint, headers, body);
  if (path === "/v1/models" && method === "GET") return { reply: listModels(dialect) };
  const model = /^\/v1\/models\/([^/]+)$/.exec(path)?.[1];
  if (model !== undefined && method === "GET") return { reply: oneModel(dialect, decodeURIComponent(model)) };
  if (path.startsWith("/api/event_logging/")) return { reply: json({}) };
  return { reply: errors.notFound(dialect, method, path) };
}

function respondAt(endpoint: Endpoint, headers: IncomingHttpHeaders, text: string): ReplyWithFault {
  const { dialect, required } = endpoint;
  if (dialect === "anthropic" && headers["anthropic-version"] === undefined) {
    return { reply: errors.anthropicError(400, "anthropic-version: header is required") };
  }
  const body = parse(text);
  if (body === undefined) return { reply: errors.badJson(dialect) };
  const model = stringAt(body, "model") ?? "";
  const missing = required.find((name) => (name === "model" ? model === "" : body[name] === undefined));
  if (missing !== undefined) return { reply: errors.missingField(dialect, missing) };
  const quirk = quirkOf(model);
  if (quirk) return { reply: respondWithQuirk(quirk, endpoint, body) };
  const fault = faultOf(body);
  if (fault?.kind === "status") return { reply: errors.statusFault(dialect, fault.status, model), fault };
  const reply = endpoint.respond(body, model);
  if (reply.kind === "json" && fault?.kind === "half" && fault.next === "error-event") {
    return { reply: errors.statusFault(dialect, 500, model) };
  }
  return fault === undefined ? { reply } : { reply, fault };
}

function respondWithQuirk(quirk: Quirk, endpoint: Endpoint, body: JsonObject): Reply {
  if (ENDPOINTS[quirk.path] !== endpoint) {
    const message = `This quirk belongs to ${quirk.path}.`;
    return endpoint.dialect === "openai"
      ? errors.openAiError(400, message)
      : errors.anthropicError(400, message);
  }
  return quirk.respond({
    stream: body["stream"] === true,
    hasUsageOption: body["stream_options"] !== undefined,
  });
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function hasCredentials(headers: IncomingHttpHeaders, dialect: Dialect): boolean {
  if (/^Bearer \S/i.test(headers.authorization ?? "")) return true;
  return dialect === "anthropic" && (headers["x-api-key"] ?? "") !== "";
}

/** `/v1/models` belongs to both APIs; Anthropic's clients are recognized by their headers. */
export function dialectOf(headers: IncomingHttpHeaders, path: string): Dialect {
  const endpoint = ENDPOINTS[path];
  if (endpoint !== undefined) return endpoint.dialect;
  if (path.startsWith("/api/")) return "anthropic";
  return "anthropic-version" in headers || "x-api-key" in headers ? "anthropic" : "openai";
}
