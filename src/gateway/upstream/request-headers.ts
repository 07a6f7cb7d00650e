/** The client's headers as the provider may see them: those of the provider's allow-list, and the gateway's own. */
import { BODY_HEADERS } from "../../shared/http/body-headers.ts";
import type { HeaderReader, NamedHeaders } from "../../shared/http/named-headers.ts";
import type { Provider } from "../provider/provider.ts";
import { aiGatewayHeader, type UpstreamCredential } from "./provider-key.ts";
import { connectionHeaders } from "./hop-by-hop.ts";

/** For an upstream that is Coder itself. The owner is the accepted one, never the client's, which may have been rejected. */
const CODER_HEADERS = ["x-coder-chat-id", "x-coder-subchat-id", "x-coder-workspace-id"];

/**
 * Towards a destination that is not a Cloudflare zone, the platform adds the client's address as `x-real-ip` unless the
 * Worker sets that header. `CF-Connecting-IP`, which it adds too, cannot be set.
 * https://developers.cloudflare.com/fundamentals/reference/http-headers/#cf-connecting-ip-in-worker-subrequests
 *
 * An address for documentation (RFC 5737): it is no host's, so no provider's rule can match it, unlike an unspecified,
 * loopback or private address, which some servers trust.
 */
export const REAL_IP = "192.0.2.1";

/** The gateway's entry in `Via` (RFC 9110 §7.6.3), which reveals a request that loops back to a gateway. */
export const VIA_MARK = "ai-edge-interceptor";
const LOOPED = new RegExp(`(?:^|[\\s,])${VIA_MARK}(?:$|[\\s,(])`);

/** A changed body is another representation. */
const OF_SENT_BODY: ReadonlySet<string> = new Set(BODY_HEADERS);

export type UpstreamHeaderOptions = {
  readonly provider: Provider;
  readonly credential: Pick<UpstreamCredential, "kind" | "header">;
  /** The body is not the one that was sent: it was compressed, or the usage opt-in was added. */
  readonly isChanged: boolean;
  /** The accepted owner, the only one that an upstream Coder receives; null if there is none. */
  readonly owner: string | null;
};

/** The headers to send: those of the client's that the provider may receive, plus the provider's credential. */
export function upstreamHeaders(sent: NamedHeaders, options: UpstreamHeaderOptions): Headers {
  const { provider, credential, isChanged, owner } = options;
  const isForwarded = forwardedBy(provider, credential.kind);
  const listed = connectionHeaders(sent);
  // A native copy and deletions take fewer instructions than copying each field.
  const headers = new Headers(sent.native);
  for (const name of sent.names) {
    if (!isForwarded(name) || listed?.has(name) || (isChanged && OF_SENT_BODY.has(name)))
      headers.delete(name);
  }
  if (provider.coderHeaders && owner !== null) headers.set("x-coder-owner-id", owner);
  headers.set("accept-encoding", "identity");
  headers.set("via", `1.1 ${VIA_MARK}`);
  headers.set("x-real-ip", REAL_IP);
  if (credential.kind === "centralized")
    for (const [name, value] of provider.accountHeaders) headers.set(name, value);
  const token = provider.aiGateway?.token ?? null;
  if (token !== null) headers.set(...aiGatewayHeader(token));
  if (credential.header !== null) headers.set(credential.header[0], credential.header[1]);
  return headers;
}

type IsForwarded = (name: string) => boolean;
type KeyKind = UpstreamCredential["kind"];

/** A provider's rules, compiled when they are first needed. */
const compiled = new WeakMap<Provider, Partial<Record<KeyKind, IsForwarded>>>();

function forwardedBy(provider: Provider, kind: KeyKind): IsForwarded {
  const rules = compiled.get(provider) ?? {};
  compiled.set(provider, rules);
  const { always, withOwnKey } = provider.dialect.forwardedHeaders;
  return (rules[kind] ??= compile([
    ...always,
    ...(kind === "byok" ? withOwnKey : []),
    ...(provider.coderHeaders ? CODER_HEADERS : []),
    ...provider.forwardHeaders,
  ]));
}

/** Compared exactly: a server that reads `_` as `-` must not find a header here under another spelling. */
function compile(patterns: readonly string[]): IsForwarded {
  const names = new Set(patterns);
  const prefixes = patterns.filter((pattern) => pattern.endsWith("*")).map((pattern) => pattern.slice(0, -1));
  return (name) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** Whether this request has already passed through a gateway of this kind. */
export function hasLooped(headers: HeaderReader): boolean {
  return LOOPED.test(headers.get("via") ?? "");
}
