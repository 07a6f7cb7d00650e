/**
 * Cloudflare AI Gateway in front of the emulated provider, at its paths `/v1/{account}/{gateway}/{provider}/…`. It checks a token
 * that is sent, and has the key of the provider where a request has the token alone.
 * https://developers.cloudflare.com/ai-gateway/usage/providers/
 */
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { json, type Reply } from "./reply.ts";
import { freshId } from "./tokens.ts";

const PATH = /^\/v1\/[^/]+\/([^/]+)\/(openai|compat|anthropic)(\/.*)$/;
/** The name of the gateway whose cache is on. */
const CACHED = "cached";

export type GatewayRequest = {
  /** The path at the provider. */
  readonly path: string;
  /** Those that the provider gets. */
  readonly headers: IncomingHttpHeaders;
  /** Of the response. */
  readonly added: Readonly<Record<string, string>>;
  /** The gateway's own response; null where the provider responds. */
  readonly refused: Reply | null;
};

type Received = {
  readonly path: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** `cache`: the digests of the requests whose responses are stored. null for a path of the provider itself. */
export function throughAiGateway(
  { path, method, headers, body }: Received,
  cache: Set<string>,
): GatewayRequest | null {
  const [, name, provider, rest = ""] = PATH.exec(path) ?? [];
  if (provider === undefined) return null;
  const token = headers["cf-aig-authorization"];
  const sent = withStoredKey(headers, token !== undefined);
  const logId = { "cf-aig-log-id": freshId("01", 24) };
  return {
    path: provider === "anthropic" ? rest : `/v1${rest}`,
    headers: sent,
    added: method === "POST" ? { ...logId, "cf-aig-cache-status": cacheStatus() } : logId,
    refused: String(token ?? "").includes("rejected") ? json(UNAUTHORIZED, 401) : null,
  };

  function cacheStatus(): "HIT" | "MISS" {
    const key = createHash("sha256").update(`${path}\n${headers.authorization}\n${body}`).digest("hex");
    const hasResponse = name === CACHED && cache.has(key);
    cache.add(key);
    return hasResponse ? "HIT" : "MISS";
  }
}

const withStoredKey = (headers: IncomingHttpHeaders, hasToken: boolean): IncomingHttpHeaders =>
  hasToken && headers.authorization === undefined && headers["x-api-key"] === undefined
    ? { ...headers, authorization: "Bearer stored-key" }
    : headers;

const UNAUTHORIZED = {
  success: false,
  result: [],
  messages: [],
  error: [{ code: 2009, message: "Unauthorized" }],
};
