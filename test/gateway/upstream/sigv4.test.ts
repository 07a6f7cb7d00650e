/** AWS signatures, recomputed by a verifier that shares no code with the gateway (tools/emulator/aws-signature.ts). */
import { describe, expect, it } from "vitest";
import type { AwsKey } from "../../../src/gateway/provider/provider.ts";
import type { UpstreamBody } from "../../../src/gateway/upstream/forward.ts";
import { signWith } from "../../../src/gateway/upstream/sigv4.ts";
import { findSignatureFault, sign, type SignedRequest } from "../../../tools/emulator/aws-signature.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

/** The credentials of AWS's own examples. */
const EXAMPLE = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
} as const;
const SERVICE = "bedrock-mantle";
const KEY: AwsKey = { kind: "aws", ...EXAMPLE, sessionToken: null, region: "us-east-1", service: SERVICE };
const NOW = Date.UTC(2026, 10, 23, 12);
const HOST = "https://bedrock-mantle.us-east-1.api.aws";

type Signed = {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Exclude<UpstreamBody, { readonly sent: unknown }>;
  readonly key?: AwsKey;
  readonly also?: readonly string[];
};

/** The request as the server receives it, once it is signed. */
async function received({
  method = "POST",
  target = "/anthropic/v1/messages",
  headers: sent = { "content-type": "application/json" },
  body = utf8("{}"),
  key = KEY,
  also = [],
}: Signed): Promise<SignedRequest> {
  const url = `${HOST}${target}`;
  const headers = new Headers(sent);
  expect(await signWith(key, also, () => NOW)({ url, method, headers, body })).toBeNull();
  const parts = body === null ? [] : body instanceof Uint8Array ? [body] : body;
  const { host, pathname, search } = new URL(url);
  return {
    method,
    target: pathname + search,
    headers: { host, ...Object.fromEntries(headers) },
    body: new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer()),
  };
}

const KEYS = { [EXAMPLE.accessKeyId]: { secretAccessKey: EXAMPLE.secretAccessKey } };
const faultOf = (request: SignedRequest, rules: { now?: number; service?: string } = {}) =>
  findSignatureFault(request, { keys: KEYS, service: SERVICE, now: NOW, ...rules });

const signatureOf = (target: string, headers: Record<string, string>, scope: string, method = "GET") =>
  sign(
    { method, target, headers: { ...headers, "x-amz-date": "20150830T123600Z" }, body: utf8("") },
    [...Object.keys(headers), "x-amz-date"],
    { time: "20150830T123600Z", scope, secret: EXAMPLE.secretAccessKey },
  );

describe("the verifier computes the signatures of AWS's published examples", () => {
  const SUITE = [{ host: "example.amazonaws.com" }, "20150830/us-east-1/service/aws4_request"] as const;

  it("of the user guide", async () => {
    const headers = {
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      host: "iam.amazonaws.com",
    };
    expect(
      await signatureOf(
        "/?Action=ListUsers&Version=2010-05-08",
        headers,
        "20150830/us-east-1/iam/aws4_request",
      ),
    ).toBe("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
  });

  it.each([
    ["get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["post-vanilla", "POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "post-vanilla-query",
      "POST",
      "/?Param1=value1",
      "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ],
    [
      "get-vanilla-query-order-key-case",
      "GET",
      "/?Param2=value2&Param1=value1",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    [
      "get-unreserved",
      "GET",
      "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ],
  ])("of the test suite: %s", async (_, method, target, signature) => {
    const [headers, scope] = SUITE;
    expect(await signatureOf(target, headers, scope, method)).toBe(signature);
  });
});

describe("a signed request", () => {
  it.each<[string, Signed]>([
    ["with a body", {}],
    ["with an empty body", { body: utf8("") }],
    ["without a body", { method: "GET", body: null, headers: {}, target: "/anthropic/v1/models" }],
    ["with a body in parts", { body: [utf8('{"model":'), utf8('"m"}')] }],
    ["with a body of letters beyond ASCII", { body: utf8('{"a":"ü😀"}') }],
    ["with a query", { target: "/anthropic/v1/messages?beta=true" }],
    ["with a query in another order", { target: "/anthropic/v1/models?limit=1000&after_id=b&after=a" }],
    ["with a repeated name in the query", { target: "/anthropic/v1/models?a=2&a=1&a=%32" }],
    ["with a name without a value", { target: "/anthropic/v1/models?beta&x=" }],
    ["with encoded blanks and signs", { target: "/anthropic/v1/models?a=b%20c&d=%2B%26%3D!'()*~" }],
    ["with letters beyond ASCII in the query", { target: "/anthropic/v1/models?a=%C3%BC&b=ü" }],
    ["with encoded characters in the path", { target: "/anthropic/v1/models/us.anthropic%2Fclaude%3A0" }],
    ["with signs in the path", { target: "/anthropic/v1/models/a:b@c!$&'()*+,=-_.~" }],
    ["with blanks in the content type", { headers: { "content-type": "application/json;   charset=utf-8" } }],
    ["without a content type", { headers: {} }],
  ])("%s is verified", async (_, signed) => {
    expect(await faultOf(await received(signed))).toBeNull();
  });

  it("has the digest of its body, the time of the clock, and nothing of another credential", async () => {
    const headers = { authorization: "Bearer other", "x-amz-date": "20000101T000000Z" };
    const { headers: sent } = await received({ headers, body: utf8("") });
    expect(sent).toEqual({
      host: "bedrock-mantle.us-east-1.api.aws",
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261123\/us-east-1\/bedrock-mantle\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
      ) as string,
      "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "x-amz-date": "20261123T120000Z",
    });
  });

  it("has a session token, which is signed", async () => {
    const key = { ...KEY, sessionToken: "session/secret+token==" };
    const request = await received({ key });
    const keys = { AKIDEXAMPLE: { ...KEYS["AKIDEXAMPLE"], sessionToken: key.sessionToken } };
    const rules = { keys: keys as never, service: SERVICE, now: NOW };
    expect(request.headers["authorization"]).toContain("x-amz-security-token");
    expect(await findSignatureFault(request, rules)).toBeNull();
    expect((await faultOf(request))?.type).toBe("UnrecognizedClientException");
  });

  it("has a signature over the account's header, and none over those that networks change", async () => {
    const headers = { "anthropic-workspace-id": "w", via: "1.1 a", "user-agent": "b", accept: "c" };
    const request = await received({ headers, also: ["anthropic-workspace-id"] });
    const changed = (name: string) => ({ ...request, headers: { ...request.headers, [name]: "other" } });
    expect(await faultOf(request)).toBeNull();
    for (const name of ["via", "user-agent", "accept"]) expect(await faultOf(changed(name))).toBeNull();
    expect((await faultOf(changed("anthropic-workspace-id")))?.type).toBe("InvalidSignatureException");
  });

  it.each<[string, (request: SignedRequest) => SignedRequest]>([
    ["another body", (request) => ({ ...request, body: utf8('{"a":1}') })],
    ["another method", (request) => ({ ...request, method: "PUT" })],
    ["another path", (request) => ({ ...request, target: "/anthropic/v1/messages/batches" })],
    ["another query", (request) => ({ ...request, target: `${request.target}?beta=true` })],
    ["another host", (request) => ({ ...request, headers: { ...request.headers, host: "evil.example" } })],
    [
      "a further header of AWS",
      (request) => ({ ...request, headers: { ...request.headers, "x-amz-target": "a" } }),
    ],
  ])("is rejected with %s", async (_, change) => {
    expect((await faultOf(change(await received({}))))?.type).toBe("InvalidSignatureException");
  });

  it("is rejected for another service, and at another time", async () => {
    const request = await received({});
    expect((await faultOf(request, { service: "bedrock" }))?.message).toContain("correct service");
    expect((await faultOf(request, { now: NOW + 300_001 }))?.message).toContain("Signature expired");
    expect(await faultOf(request, { now: NOW + 300_000 })).toBeNull();
  });

  it("is signed anew at each time and day", async () => {
    let now = NOW;
    const authorize = signWith(KEY, [], () => now);
    for (const after of [0, 400_000, 86_400_000, 0]) {
      now = NOW + after;
      const headers = new Headers();
      const url = `${HOST}/anthropic/v1/models`;
      await authorize({ url, method: "GET", headers, body: null });
      const all = { host: new URL(url).host, ...Object.fromEntries(headers) };
      const request = { method: "GET", target: "/anthropic/v1/models", headers: all, body: utf8("") };
      expect(await faultOf(request, { now })).toBeNull();
    }
  });

  it("is refused for a body that is forwarded while it arrives", async () => {
    const upload = { body: new ReadableStream(), sent: Promise.resolve(true) } as never;
    const headers = new Headers();
    const refusal = await signWith(KEY, [], () => NOW)({ url: HOST, method: "POST", headers, body: upload });
    expect(refusal?.code).toBe("upload_not_signed");
    expect([...headers]).toEqual([]);
  });
});
