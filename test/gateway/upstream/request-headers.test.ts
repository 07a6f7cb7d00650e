import { NamedHeaders } from "../../../src/shared/http/named-headers.ts";
import { describe, expect, it } from "vitest";
import {
  hasLooped,
  upstreamHeaders as toUpstream,
  VIA_MARK,
} from "../../../src/gateway/upstream/request-headers.ts";
import type { Provider } from "../../../src/gateway/provider/provider.ts";
import { openaiProvider, OWNER } from "../../support/in-workerd/values.ts";

type Options = {
  readonly provider?: Provider;
  readonly kind?: "centralized" | "byok";
  readonly header?: readonly [name: string, value: string];
  readonly owner?: string | null;
  readonly isChanged?: boolean;
};

const OPENAI = openaiProvider();
const CREDENTIAL = ["authorization", "Bearer provider-key"] as const;

const upstreamHeaders = (
  headers: Headers,
  {
    provider = OPENAI,
    kind = "centralized",
    header = CREDENTIAL,
    owner = null,
    isChanged = false,
  }: Options = {},
): Headers =>
  toUpstream(new NamedHeaders(headers), { provider, credential: { kind, header }, owner, isChanged });

type Pairs = readonly (readonly [name: string, value: string])[];

/** The headers that the provider receives, without the four that it always receives. */
function forwardedTo(options: Options, pairs: Pairs): Record<string, string> {
  const to = upstreamHeaders(new Headers(pairs as [string, string][]), options);
  const {
    "accept-encoding": _,
    via: __,
    "x-real-ip": ___,
    authorization: ____,
    ...rest
  } = Object.fromEntries(to);
  return rest;
}

const CODER = openaiProvider({ coderHeaders: true });
const forwarded = (pairs: Pairs, coderHeaders = false, owner: string | null = null): Record<string, string> =>
  forwardedTo({ provider: coderHeaders ? CODER : OPENAI, owner }, pairs);

const ALWAYS = {
  "accept-encoding": "identity",
  authorization: "Bearer provider-key",
  via: `1.1 ${VIA_MARK}`,
  "x-real-ip": "192.0.2.1",
};

describe("the headers that name a central key's account", () => {
  const provider = openaiProvider({
    accountHeaders: [["anthropic-workspace-id", "wrkspc_team"]],
    forwardHeaders: ["anthropic-workspace-id"],
  });
  const sent = [["anthropic-workspace-id", "wrkspc_caller"]] as const;

  // The attack: a caller has its requests charged to another workspace of the gateway's key.
  it("replace the client's beside a central key", () => {
    expect(forwardedTo({ provider }, sent)).toEqual({ "anthropic-workspace-id": "wrkspc_team" });
    expect(forwardedTo({ provider }, [])).toEqual({ "anthropic-workspace-id": "wrkspc_team" });
  });

  it("are not sent beside the client's own key", () => {
    expect(forwardedTo({ provider, kind: "byok" }, sent)).toEqual(Object.fromEntries(sent));
    expect(forwardedTo({ provider, kind: "byok" }, [])).toEqual({});
  });
});

describe("the headers that the provider receives", () => {
  it("always include the provider's credential, the gateway's Via, identity encoding, and no client's address", () => {
    const header = ["x-api-key", "provider-key"] as const;
    expect([...upstreamHeaders(new Headers(), { header })]).toEqual([
      ["accept-encoding", "identity"],
      ["via", `1.1 ${VIA_MARK}`],
      ["x-api-key", "provider-key"],
      ["x-real-ip", "192.0.2.1"],
    ]);
  });

  it.each([
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Host",
    "Content-Length",
  ])("E1 drops the hop-by-hop field %s", (name) => {
    expect(forwarded([[name, "x"]])).toEqual({});
  });

  it("E1 drops the fields that Connection lists, in any case and spacing", () => {
    expect(
      forwarded([
        ["connection", "close,  X-Stainless-One ,x-stainless-two"],
        ["x-stainless-one", "1"],
        ["X-Stainless-Two", "2"],
        ["x-stainless-three", "3"],
      ]),
    ).toEqual({ "x-stainless-three": "3" });
  });

  it("E1 honors two Connection headers", () => {
    expect(
      forwarded([
        ["connection", "x-stainless-one"],
        ["connection", "x-stainless-two"],
        ["x-stainless-one", "1"],
        ["x-stainless-two", "2"],
      ]),
    ).toEqual({});
  });

  it.each(["close", "keep-alive", "Keep-Alive", " close "])(
    "E1 Connection: %s lists no field",
    (connection) => {
      expect(
        forwarded([
          ["connection", connection],
          ["x-stainless-one", "1"],
        ]),
      ).toEqual({ "x-stainless-one": "1" });
    },
  );

  it("E1 keeps the gateway's own headers if Connection lists them", () => {
    const to = upstreamHeaders(new Headers({ connection: "authorization, via, accept-encoding" }));
    expect(Object.fromEntries(to)).toEqual(ALWAYS);
  });

  it.each([
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Anything",
    "Forwarded",
    "CF-Connecting-IP",
    "CF-Ray",
    "CF-Worker",
    "Cf-Access-Jwt-Assertion",
    "CF-Access-Client-Secret",
    "X-Real-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "CDN-Loop",
    "Via",
    "Expect",
    "Cookie",
    "Cookie2",
    "X-Interception-Id",
    "CF-EW-Via",
    "CF-IPCountry",
    "CF-Visitor",
    "CF-Connecting-IPv6",
    "CF-Pseudo-IPv4",
    "CF-Cert-Subject-DN",
    "CF-Bot-Score",
    "Exposed-Credential-Check",
    "Malicious-Uploads-Detection",
  ])("E3 D9 drops the client's %s", (name) => {
    expect(forwarded([[name, "x"]])).toEqual({});
  });

  // The attack: a caller names the version of the provider's Worker, or of another Worker on the way, that serves it; one
  // from before a security fix, for example.
  it.each([
    "Cloudflare-Workers-Version-Overrides",
    "Cloudflare-Workers-Version-Key",
    "CLOUDFLARE-WORKERS-VERSION-KEY",
    "cloudflare_workers_version_overrides",
    "Cloudflare-Workers_Version-Key",
    "Cloudflare-Workers-Anything-New",
  ])("drops the client's choice of a Worker's version, %s", (name) => {
    expect(forwarded([[name, 'ai-edge-interceptor="dc8dcd28-271b-4367-9840-6c244f84cb40"']])).toEqual({});
    expect(forwarded([[name, "x"]], true)).toEqual({});
  });

  it.each(["X-Real-IP", "x_real_ip", "x-Real_ip"])(
    "replaces the client's %s with an address that is no host's",
    (name) => {
      const to = upstreamHeaders(new Headers({ [name]: "203.0.113.7" }));
      expect(Object.fromEntries(to)).toEqual(ALWAYS);
    },
  );

  it("E3 replaces the client's accept-encoding and via instead of joining them", () => {
    const to = upstreamHeaders(new Headers({ "accept-encoding": "gzip, br", via: "1.1 clientHeaders" }));
    expect(Object.fromEntries(to)).toEqual(ALWAYS);
  });

  it.each([["authorization", "Bearer provider-key"] as const, ["x-api-key", "provider-key"] as const])(
    "E4 replaces the client's credentials with the provider's, in %s",
    (...credential) => {
      const clientHeaders = new Headers({
        authorization: "Bearer CANARY",
        "x-api-key": "CANARY",
        "api-key": "CANARY",
        "x-coder-ai-governance-token": "CANARY",
        "proxy-authorization": "Basic CANARY",
        cookie: "session=CANARY",
      });
      const {
        "accept-encoding": _,
        via: __,
        "x-real-ip": ___,
        ...rest
      } = Object.fromEntries(upstreamHeaders(clientHeaders, { header: credential }));
      expect(rest).toEqual({ [credential[0]]: credential[1] });
    },
  );

  it("E4 drops credentials in headers with underscores for hyphens", () => {
    expect(
      forwarded([
        ["x_api_key", "CANARY"],
        ["api_key", "CANARY"],
        ["proxy_authorization", "CANARY"],
        ["x_coder_ai_governance_token", "CANARY"],
      ]),
    ).toEqual({});
  });

  it("E5 forwards the headers of the API, of its SDK and of its clients verbatim", () => {
    const pairs: Pairs = [
      ["openai-beta", "assistants=v2"],
      ["x-stainless-lang", "js"],
      ["x-stainless-retry-count", "as  it   is"],
      ["x-codex-turn-metadata", "{}"],
      ["session_id", "with an underscore"],
      ["content-type", "application/json; charset=utf-8"],
      ["accept", "text/event-stream"],
      ["user-agent", "coder-agents/v2"],
      ["idempotency-key", "k"],
    ];
    expect(forwarded(pairs)).toEqual(Object.fromEntries(pairs));
  });

  it("E5 forwards no header that is not known, with the client's own key neither", () => {
    const pairs: Pairs = [
      ["x-unknown", "v"],
      ["traceparent", "00-1-2-01"],
      ["accept-language", "de"],
      ["anthropic-version", "2023-06-01"],
    ];
    expect(forwarded(pairs)).toEqual({});
    expect(forwardedTo({ kind: "byok" }, pairs)).toEqual({});
  });

  it.each([
    "X-Coder-Owner-Id",
    "X-Coder-Chat-Id",
    "X-Coder-Subchat-Id",
    "X-Coder-Workspace-Id",
    "X-Coder-AI-Governance-Token",
    "X-Coder-AI-Governance-Request-Id",
    "X-Coder-AI-Gateway-Key",
    "X-Coder-Signature",
    "X-Coder-Anything-New",
  ])("drops %s", (name) => {
    expect(forwarded([[name, OWNER]])).toEqual({});
  });

  it.each([
    "X_Coder_Owner_Id",
    "x_coder-owner_id",
    "X-Coder_Owner_Id",
    "x_forwarded_for",
    "cf_connecting_ip",
  ])("A17 drops %s like its spelling with hyphens, with and without forward_coder_headers", (name) => {
    expect(forwarded([[name, OWNER]])).toEqual({});
    expect(forwarded([[name, OWNER]], true)).toEqual({});
  });

  it("A17 does not read X_Coder_Owner_Id as the owner", () => {
    expect(new Headers({ X_Coder_Owner_Id: OWNER }).get("x-coder-owner-id")).toBeNull();
  });

  it("A18 reads the owner even if Connection lists it, and does not forward it", () => {
    const headers = new Headers({ connection: "X-Coder-Owner-Id", "x-coder-owner-id": OWNER });
    expect(headers.get("x-coder-owner-id")).toBe(OWNER);
    expect(forwarded([...headers])).toEqual({});
  });

  it("forwards the ids with forward_coder_headers, and never a credential or signature", () => {
    const ids: Pairs = [
      ["x-coder-owner-id", OWNER],
      ["x-coder-chat-id", OWNER],
      ["x-coder-subchat-id", OWNER],
      ["x-coder-workspace-id", OWNER],
    ];
    const secrets: Pairs = [
      ["x-coder-ai-governance-token", "CANARY"],
      ["x-coder-ai-governance-request-id", "r"],
      ["x-coder-ai-gateway-key", "CANARY"],
      ["x-coder-ai-gateway-delegated-key-id", "k"],
      ["x-coder-ai-gateway-source", "agents"],
      ["x-coder-ai-gateway-workspace-id", OWNER],
      ["x_coder_ai_gateway_key", "CANARY"],
      ["x-coder-signature", "v1=00"],
      ["x-coder-signature-timestamp", "1"],
      ["x-forwarded-for", "1.2.3.4"],
    ];
    expect(forwarded([...ids, ...secrets], true, OWNER)).toEqual(Object.fromEntries(ids));
  });

  // The attack: a rejected owner that is forwarded to a Coder upstream with the gateway's own key would be trusted there
  // because of that key.
  it.each(["x-coder-owner-id", "X-Coder-Owner_Id", "x_coder_owner_id"])(
    "forwards the accepted owner with forward_coder_headers, never the client's %s",
    (name) => {
      expect(forwarded([[name, OWNER]], true, null)).toEqual({});
      const accepted = "0b8f3a52-5d0e-4a61-8c1f-5a9d3e7b2c10";
      expect(forwarded([[name, OWNER]], true, accepted)).toEqual({ "x-coder-owner-id": accepted });
    },
  );

  it("drops Coder-Session-Token, which signs in to a Coder deployment", () => {
    expect(forwarded([["Coder-Session-Token", "CANARY"]])).toEqual({});
    expect(forwarded([["Coder-Session-Token", "CANARY"]], true)).toEqual({});
  });

  it("does not change the client's headers", () => {
    const clientHeaders = new Headers({ authorization: "Bearer own", "x-stainless-one": "1" });
    upstreamHeaders(clientHeaders);
    expect([...clientHeaders]).toEqual([
      ["authorization", "Bearer own"],
      ["x-stainless-one", "1"],
    ]);
  });
});

describe("D11 a request that loops", () => {
  it("is recognized by the gateway's Via", () => {
    const out = upstreamHeaders(new Headers());
    expect(hasLooped(out)).toBe(true);
  });

  it("is recognized behind other proxies", () => {
    expect(hasLooped(new Headers({ via: `1.1 edge, 1.1 ${VIA_MARK}, 2 other` }))).toBe(true);
  });

  it("is not assumed from another proxy's Via", () => {
    expect(hasLooped(new Headers())).toBe(false);
    expect(hasLooped(new Headers({ via: "1.1 vegur, 2 cloudfront" }))).toBe(false);
  });
});
