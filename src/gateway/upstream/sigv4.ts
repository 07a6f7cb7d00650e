/**
 * Signs requests with an access key of AWS (Signature Version 4).
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { AwsV4Signer } from "aws4fetch";
import { createDigest } from "../../shared/digest-stream.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { AwsKey, Provider } from "../provider/provider.ts";
import { isUpload, type UpstreamBody } from "./forward.ts";
import { credentialHint, type Authorize, type KeyDeps, type UpstreamCredential } from "./provider-key.ts";

/** The hint is of the access key's id. */
export const awsCredential = (
  key: AwsKey,
  { accountHeaders }: Provider,
  { now }: Pick<KeyDeps, "now">,
): UpstreamCredential => ({
  kind: "centralized",
  hint: credentialHint(key.accessKeyId),
  header: null,
  authorize: signWith(
    key,
    accountHeaders.map(([name]) => name),
    now,
  ),
});

/** Set by a signature; the token only with temporary credentials. */
const SIGNATURE_HEADERS = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];

/**
 * Sets the headers of the signature over the method, URL, body and the headers that AWS requires (`host`, `content-type`,
 * `x-amz-*`), and those in `also`. Networks on the way may change others.
 *
 * @returns `upload_not_signed` for a body that is forwarded while it arrives: its digest precedes it.
 */
export function signWith(key: AwsKey, also: readonly string[], now: () => number): Authorize {
  const { accessKeyId, secretAccessKey, sessionToken, region, service } = key;
  /** The derived keys, one for each day. */
  const cache = new Map<string, ArrayBuffer>();
  const names = ["content-type", ...also];
  return async ({ url, method, headers, body }) => {
    if (isUpload(body)) return new Refusal("upload_not_signed");
    const signed = new Headers({ "x-amz-content-sha256": await bodySha256(body) });
    for (const name of names) {
      const value = headers.get(name);
      if (value !== null) signed.set(name, value);
    }
    const signer = new AwsV4Signer({
      url,
      method,
      headers: signed,
      allHeaders: true,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== null && { sessionToken }),
      region,
      service,
      cache,
      datetime: toAmzDate(now()),
    });
    const { headers: result } = await signer.sign();
    for (const name of SIGNATURE_HEADERS) {
      const value = result.get(name);
      if (value !== null) headers.set(name, value);
    }
    return null;
  };
}

/** ISO 8601 in its basic form, without fractions: `20150830T123600Z`. */
const toAmzDate = (ms: number): string => new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, "");

async function bodySha256(body: Exclude<UpstreamBody, { readonly sent: unknown }>): Promise<string> {
  if (body === null || body instanceof Uint8Array) return sha256Hex(body ?? "");
  const digest = createDigest();
  for (const part of body) await digest.update(part);
  return digest.hex();
}
