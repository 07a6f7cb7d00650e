/**
 * Reads an HTTP message signature (RFC 9421) over a request that names an owner, and checks that it covers everything that
 * an owner's signature must.
 */
import { toHex } from "../../../shared/hex.ts";
import { trimWhitespace } from "../owner-header.ts";
import { WINDOW_MS, type SignableRequest, type SignatureHeader } from "../signature.ts";
import { parseContentDigest, parseSignature, parseSignatureInput } from "./fields.ts";
import { signatureBase } from "./signature-base.ts";

/** How far a signer's clock may be ahead of the gateway's. */
export const CLOCK_SKEW_MS = 30_000;

/** The headers that say on whose account a request is made: each must be covered where it is present. */
const IDENTITY_HEADERS: readonly string[] = [
  "x-coder-owner-id",
  "x-coder-chat-id",
  "x-coder-subchat-id",
  "x-coder-workspace-id",
  "x-coder-ai-gateway-delegated-key-id",
  "x-coder-ai-gateway-source",
  "x-coder-ai-gateway-workspace-id",
];

/** Whether the request has either of the two fields. */
export const hasHttpSignature = ({ headers }: SignableRequest): boolean =>
  headers.has("signature") || headers.has("signature-input");

export function readHttpSignature(request: SignableRequest): SignatureHeader {
  const field = (name: string): string => trimWhitespace(request.headers.get(name) ?? "");
  const input = parseSignatureInput(field("signature-input"));
  const signature = input && parseSignature(field("signature"), input);
  if (!input || !signature) return MALFORMED;
  const present = IDENTITY_HEADERS.filter((name) => request.headers.has(name));
  // A comma: `Headers.get` joined two values, and another reader could take either one for the value.
  if (present.some((name) => field(name).includes(","))) return MALFORMED;
  if (!coversAll(request, input.components, present)) return { kind: "uncovered" };
  const digest = parseContentDigest(field("content-digest"));
  const base = signatureBase(request, input);
  if (digest === null || base === null) return MALFORMED;
  const { created, expires, nonce, keyId, algorithm } = input;
  return {
    kind: "presented",
    format: "http",
    from: created * 1000 - CLOCK_SKEW_MS,
    until: Math.min(expires * 1000, created * 1000 + WINDOW_MS),
    keyId,
    algorithm,
    nonce,
    base,
    signature,
    contentSha256: toHex(digest),
  };
}

const MALFORMED: SignatureHeader = { kind: "malformed" };

function coversAll(
  { headers }: SignableRequest,
  components: readonly string[],
  present: readonly string[],
): boolean {
  const target = components.includes("@target-uri") ? ["@target-uri"] : ["@path", "@query"];
  // The digest is one of the encoded bytes (RFC 9530 §2), so without the encoding it leaves open what they mean.
  const encoding = headers.has("content-encoding") ? ["content-encoding"] : [];
  const required = ["@method", "@authority", ...target, "content-digest", ...encoding, ...present];
  return required.every((name) => components.includes(name));
}
