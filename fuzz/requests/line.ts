/** Request lines of hostile or broken clients. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, type Random } from "../random.ts";
import { CANARY } from "./canaries.ts";

export const INTERCEPTED = [
  "/openai/v1/chat/completions",
  "/openai/v1/responses",
  "/anthropic/v1/messages",
  "/own-openai/v1/chat/completions",
  "/v1/chat/completions",
  "/v1/messages",
  "/api/v2/ai-gateway/openai/v1/chat/completions",
  "/api/v2/aibridge/anthropic/v1/messages",
];
const OTHERS = [
  "/openai/v1/models",
  "/anthropic/v1/models",
  "/own-openai/v1/models",
  "/openai/v1/files/file-1",
  "/anthropic/v1/messages/count_tokens",
  "/v1/models",
  "/healthz",
  "/",
  "/nothing",
  "/api/v2/ai-gateway/sessions",
  "/api/v2/ai-gateway/explain",
];

const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "PRI",
  "get",
  "",
  "GE T",
  "POST\t",
  "P\0ST",
  "X".repeat(300),
];
const VERSIONS = [
  "HTTP/1.0",
  "HTTP/0.9",
  "HTTP/2.0",
  "HTTP/1.2",
  "http/1.1",
  "HTTP/1.1 x",
  "HTTP/11",
  "HTTP/",
  "",
  "HTTP/1.1\0",
  "ICY/1.0",
];

export function method(random: Random, usual: string): string {
  return chance(random, 0.85) ? usual : pick(random, METHODS);
}

export const version = (random: Random): string =>
  chance(random, 0.85) ? "HTTP/1.1" : pick(random, VERSIONS);

export const path = (random: Random): string => pick(random, chance(random, 0.7) ? INTERCEPTED : OTHERS);

/** The path in another form, or a target that is not a path. */
export function target(random: Random, plain: string): string {
  const long = "a".repeat(between(random, 1000, chance(random, 0.1) ? 100_000 : 18_000));
  return pick(random, [
    `http://127.0.0.1${plain}`,
    `http://evil.example${plain}`,
    `https://user:${CANARY}@evil.example${plain}`,
    `//evil.example${plain}`,
    `/\\evil.example${plain}`,
    `/@evil.example${plain}`,
    `/x/..${plain}`,
    `/openai/v1/../..${plain}`,
    plain.replace("v1", "%76%31"),
    plain.replace("/v1", "/%2e%2e/v1"),
    plain.replace("/v1", "%2fv1"),
    `${plain}%00`,
    `${plain}%zz`,
    `${plain}\0`,
    `${plain};x=${CANARY}`,
    `${plain}/`,
    `${plain}#${CANARY}`,
    `${plain}?key=${CANARY}&api_base=http://evil.example`,
    `${plain}?${long}`,
    `/${long}`,
    `${plain} ${plain}`,
    `${plain}\t`,
    plain.slice(1),
    plain.toUpperCase(),
    `${plain}\xe4\xff`,
    "*",
    "127.0.0.1:443",
    "",
    "?",
    "http://",
    "http:///",
    "http://[::1",
  ]);
}
