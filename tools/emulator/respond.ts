/** Maps a request to its reply: credentials, endpoint, required fields, fault. Sends nothing. */
import type { IncomingHttpHeaders } from "node:http";
import { azureErrors, azurePath, servedModel, withFilterResults, type AzurePath } from "./azure.ts";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { issueToken, TOKEN_PATH } from "./entra.ts";
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
  /** Without the query. */
  readonly path: string;
  /** The query with its question mark; empty where there is none. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly dialect: Dialect;
  /** The credential was checked already. */
  readonly isAuthorized?: boolean;
};
export type ReplyWithFault = { readonly reply: Reply; readonly fault?: Fault };

export function respond(head: RequestHead, body: string): ReplyWithFault {
  const { method, path, headers, dialect } = head;
  if (method === "POST" && TOKEN_PATH.test(path)) return { reply: issueToken(body) };
  const azure = azurePath(path);
  if (azure !== null) return respondAsAzure(head, azure, body);
  // Claude Code sends this probe before its first message, without credentials.
  if (path === "/" || path === "/api/hello") return { reply: json({ message: "hello" }) };
  if (head.isAuthorized !== true && !hasCredentials(headers, dialect))
    return { reply: errors.missingCredentials(dialect) };
  const rejected = rejectKey(headers, dialect, path);
  if (rejected) return { reply: rejected };
  // Codex tries a WebSocket first; this status makes it fall back to a plain request at once.
  if (headers.upgrade !== undefined)
    return { reply: errors.openAiError(426, "This endpoint does not support WebSocket here.") };
  const endpoint = ENDPOINTS[path];
  if (endpoint !== undefined && method === "POST")
    return respondAt(endpoint, headers, parse(body), (named) => named);
  if (path === "/v1/models" && method === "GET") return { reply: listModels(dialect) };
  const model = /^\/v1\/models\/([^/]+)$/.exec(path)?.[1];
  if (model !== undefined && method === "GET") return { reply: oneModel(dialect, decodeURIComponent(model)) };
  if (path.startsWith("/api/event_logging/")) return { reply: json({}) };
  return { reply: errors.notFound(dialect, method, path) };
}

/** A dated version is in the query, without which the path does not exist. */
function respondAsAzure(
  { method, headers, search }: RequestHead,
  { path, deployment, isDated }: AzurePath,
  text: string,
): ReplyWithFault {
  const hasKey = (headers["api-key"] ?? "") !== "" || /^Bearer \S/i.test(headers.authorization ?? "");
  if (!hasKey) return { reply: azureErrors.credentials() };
  const endpoint = ENDPOINTS[path];
  const hasVersion = /[?&]api-version=\d{4}-\d\d-\d\d/.test(search);
  if (isDated && !hasVersion) return { reply: azureErrors.notFound() };
  if (path === "/v1/models" && method === "GET") return { reply: listModels("openai") };
  if (endpoint?.dialect !== "openai" || method !== "POST") return { reply: azureErrors.notFound() };
  const body = parse(text);
  // The path decides, regardless of the body.
  const named = deployment === null ? body : body && { ...body, model: decodeURIComponent(deployment) };
  const { reply, fault } = respondAt(endpoint, headers, named, () => servedModel(path));
  return { reply: withFilterResults(reply), ...(fault && { fault }) };
}

/** `served`: the model that responds, by the one that the request names. */
function respondAt(
  endpoint: Endpoint,
  headers: IncomingHttpHeaders,
  body: JsonObject | undefined,
  served: (named: string) => string,
): ReplyWithFault {
  const { dialect, required } = endpoint;
  if (dialect === "anthropic" && headers["anthropic-version"] === undefined) {
    return { reply: errors.anthropicError(400, "anthropic-version: header is required") };
  }
  if (body === undefined) return { reply: errors.badJson(dialect) };
  const model = stringAt(body, "model") ?? "";
  const missing = required.find((name) => (name === "model" ? model === "" : body[name] === undefined));
  if (missing !== undefined) return { reply: errors.missingField(dialect, missing) };
  const quirk = quirkOf(model);
  if (quirk) return { reply: respondWithQuirk(quirk, endpoint, body) };
  const fault = faultOf(body);
  if (fault?.kind === "status") return { reply: errors.statusFault(dialect, fault.status, model), fault };
  const reply = endpoint.respond(body, served(model));
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
  if (azurePath(path) !== null) return "openai";
  if (path.startsWith("/api/")) return "anthropic";
  return "anthropic-version" in headers || "x-api-key" in headers ? "anthropic" : "openai";
}
