/** The allow-lists of request headers: what real clients need passes, and what steers a gateway or names a caller does not. */
import { describe, expect, it } from "vitest";
import type { Provider } from "../../../src/gateway/provider/provider.ts";
import { upstreamHeaders } from "../../../src/gateway/upstream/request-headers.ts";
import { coversReserved, HEADER_PATTERN } from "../../../src/shared/http/reserved-headers.ts";
import { NamedHeaders } from "../../../src/shared/http/named-headers.ts";
import { anthropicProvider, openaiProvider } from "../../support/in-workerd/values.ts";
import { issuesOf, provider as providerVars, read } from "../config/read-config.ts";

const OWN = new Set(["accept-encoding", "via", "x-real-ip", "authorization"]);

/** The client's headers that reach the provider. */
function passed(
  names: readonly string[],
  provider: Provider,
  kind: "centralized" | "byok" = "centralized",
): string[] {
  const sent = new NamedHeaders(new Headers(names.map((name): [string, string] => [name, "v"])));
  const credential = { kind, header: ["authorization", "Bearer k"] } as const;
  const to = upstreamHeaders(sent, { provider, credential, isChanged: false, owner: null });
  return [...to.keys()].filter((name) => !OWN.has(name));
}

/** As recorded from the clients themselves, without the hop-by-hop ones and credentials. */
const RECORDED = {
  "Claude Code": [
    "accept",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "content-type",
    "user-agent",
    "x-app",
    "x-claude-code-agent-id",
    "x-claude-code-session-id",
    "x-client-request-id",
    "x-stainless-arch",
    "x-stainless-helper-method",
    "x-stainless-retry-count",
    "x-stainless-timeout",
  ],
  Codex: [
    "accept",
    "content-type",
    "openai-beta",
    "originator",
    "session-id",
    "session_id",
    "thread-id",
    "user-agent",
    "version",
    "x-client-request-id",
    "x-codex-beta-features",
    "x-codex-turn-metadata",
    "x-codex-window-id",
  ],
  SDKs: ["accept", "content-type", "idempotency-key", "user-agent", "x-stainless-lang", "x-stainless-os"],
} as const;

describe("the headers that clients need", () => {
  it.each([
    ["Claude Code", anthropicProvider()],
    ["Codex", openaiProvider()],
    ["SDKs", openaiProvider()],
    ["SDKs", anthropicProvider()],
  ] as const)("Finding M7: all those of %s reach the provider", (client, provider) => {
    expect(passed(RECORDED[client], provider)).toEqual([...RECORDED[client]].toSorted());
  });

  // The attack: a caller names another organization, project, workspace or account of the central key, which then pays.
  it.each([
    ["openai", openaiProvider(), ["openai-organization", "openai-project", "chatgpt-account-id"]],
    ["anthropic", anthropicProvider(), ["anthropic-organization-id", "anthropic-workspace-id"]],
  ] as const)(
    "Finding N1: accounts of a key are named only beside the client's own key: %s",
    (_, provider, names) => {
      expect(passed(names, provider)).toEqual([]);
      expect(passed(names, provider, "byok")).toEqual([...names].toSorted());
    },
  );
});

// The attack: behind another gateway the caller leads the central key to a host of its own, pays with it for other
// models, names another payer, or poisons a cache.
const STEERING = [
  "x-portkey-custom-host",
  "x-portkey-provider",
  "x-portkey-config",
  "x-portkey-virtual-key",
  "x-portkey-cache-force-refresh",
  "x-portkey-forward-headers",
  "helicone-target-url",
  "helicone-auth",
  "helicone-cache-enabled",
  "helicone-user-id",
  "helicone-openai-api-base",
  "x-litellm-tags",
  "x-litellm-spend-logs-metadata",
  "x-litellm-api-key",
  "x-litellm-api-base",
  "x-litellm-enable-message-redaction",
  "x-amzn-bedrock-guardrailidentifier",
  "x-amzn-oidc-accesstoken",
  "x-amz-security-token",
  "x-amz-target",
  "amz-sdk-request",
  "x-goog-user-project",
  "x-goog-iap-jwt-assertion",
  "x-goog-authenticated-user-email",
  "x-goog-request-params",
  "x-kong-request-id",
  "kong-debug",
  "x-envoy-original-path",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-decorator-operation",
  "x-istio-attributes",
  "x-consumer-id",
  "x-ms-token-aad-access-token",
  "ocp-apim-subscription-key",
  "ocp-apim-trace",
  "cf-aig-authorization",
  "cf-aig-cache-ttl",
  "x-openrouter-provider",
  "x-bt-use-cache",
  "x-initiator",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "range",
  "if-range",
  "if-none-match",
  "cache-control",
  "pragma",
  "x-forwarded-host",
  "x-forwarded-user",
  "x-forwarded-email",
  "x-forwarded-access-token",
  "x-original-url",
  "x-host",
  "x-auth-request-access-token",
  "x-auth-request-email",
  "x-auth-token",
  "x-user-email",
  "x-openwebui-user-email",
  "x-openwebui-user-jwt",
  "from",
  "referer",
  "origin",
  "private-token",
  "job-token",
  "x-vault-token",
  "x-csrf-token",
  "baggage",
  "priority",
  "x-coder-api-key",
  "x-coder-psk",
  "x-coder-provisioner-daemon-psk",
  "x-coder-owner-username",
  "x-coder-initiator-id",
  "x-coder-owner-id",
  "coder-session-token",
];

describe("the headers that steer a gateway, or name or authenticate the caller", () => {
  const spellings = [...STEERING, ...STEERING.map((name) => name.replaceAll("-", "_"))];

  it.each([
    ["openai", openaiProvider()],
    ["anthropic", anthropicProvider()],
    ["openai with forward_coder_headers", openaiProvider({ coderHeaders: true })],
    ["anthropic with forward_coder_headers", anthropicProvider({ coderHeaders: true })],
  ] as const)("Finding N1: they do not reach the provider, in either spelling: %s", (_, provider) => {
    for (const kind of ["centralized", "byok"] as const)
      expect(passed(spellings, provider, kind)).toEqual([]);
  });
});

const withHeaders = (forward_headers: unknown) => providerVars({ forward_headers });

describe("forward_headers", () => {
  it("adds names and prefixes to the dialect's list", () => {
    const provider = read(withHeaders(["traceparent", "x-portkey-*"])).providers.get("openai");
    const names = ["traceparent", "tracestate", "x-portkey-config", "x-portke"];
    expect(provider && passed(names, provider)).toEqual(["traceparent", "x-portkey-config"]);
  });

  it.each([
    "authorization",
    "host",
    "cookie",
    "x-coder-ai-governance-token",
    "x-coder-anything",
    "coder-session-token",
    "cf-connecting-ip",
    "cf-*",
    "x-api-key",
    "x_api_key",
    "x-forwarded-for",
    "x_forwarded_*",
    "x-forwarded-*",
    "proxy-authorization",
    "connection",
    "transfer-encoding",
    "via",
    "range",
    "x-http-method-override",
    "x-*",
    "x-a*",
    "auth*",
    "x-c*",
    "cookie*",
    "hos*",
    "api-*",
    "x-goog-*",
    "*",
    "x*",
    "X-Upper",
    "a b",
    "a:b",
    "a,b",
    "a*b",
    "**",
    "-a",
  ])("Finding M7: rejects %j", (pattern) => {
    const [issue] = issuesOf(withHeaders([pattern]));
    expect(issue).toMatch(/^PROVIDERS\.openai\.forward_headers\[0\] must /);
  });

  it.each([
    "traceparent",
    "x-portkey-*",
    "helicone-cache-enabled",
    "x-goog-user-project",
    "openai-*",
    "session_id",
  ])("accepts %j", (pattern) => {
    expect(issuesOf(withHeaders([pattern]))).toEqual([]);
  });

  it("no list of a dialect covers a reserved header", () => {
    for (const { dialect } of [openaiProvider(), anthropicProvider()]) {
      for (const pattern of [...dialect.forwardedHeaders.always, ...dialect.forwardedHeaders.withOwnKey]) {
        expect([pattern, coversReserved(pattern), HEADER_PATTERN.test(pattern)]).toEqual([
          pattern,
          false,
          true,
        ]);
      }
    }
  });
});
