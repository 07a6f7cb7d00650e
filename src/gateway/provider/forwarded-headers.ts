/**
 * The client's headers that a provider may receive. An allow-list, because a provider may itself be a gateway, whose
 * headers choose the host, the key or the cache (Portkey, Helicone, LiteLLM), and because clients and proxies send
 * credentials and names of users in headers that no deny-list is complete for.
 */

/** Names in lower case; a `*` at the end stands for any rest. */
export type ForwardedHeaders = {
  readonly always: readonly string[];
  /** Only beside the client's own key: they choose an account of that key, which for a central key is not the caller's to choose. */
  readonly withOwnKey: readonly string[];
};

/** For every dialect. */
const COMMON = [
  // The representation of both bodies (RFC 9110 §8).
  "accept",
  "content-type",
  "content-encoding",
  // Integrity of the request's body (RFC 9530, and its predecessors); dropped beside a body that the gateway changed.
  "content-digest",
  "repr-digest",
  "digest",
  "content-md5",
  // The client's software: providers report by it, and check subscriptions with it.
  "user-agent",
  // SDKs of Stainless (OpenAI, Anthropic and others): platform, version, retry count.
  "x-stainless-*",
  // The client's own id of the request, for the provider's support.
  "x-client-request-id",
  // A retry runs no second model call. Beside a central key its value is scoped to the caller.
  "idempotency-key",
  // OpenCode's session: other providers find their prompt cache by it, and OpenCode's own models require it.
  "x-session-affinity",
  "x-opencode-session",
];

/** The lists of a dialect: its own names beside those of every dialect. */
export const forwardedHeaders = (
  always: readonly string[],
  withOwnKey: readonly string[],
): ForwardedHeaders => ({ always: [...COMMON, ...always], withOwnKey });
