/**
 * Verifies AWS signatures as AWS's documentation describes them. Nothing of the gateway is used, so that both cannot be wrong alike.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

/** A request as the server received it. */
export type SignedRequest = {
  readonly method: string;
  /** The path and the query, unchanged. */
  readonly target: string;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
};

export type AwsSecret = { readonly secretAccessKey: string; readonly sessionToken?: string };

export type SigningRules = {
  /** By access key id. */
  readonly keys: Readonly<Record<string, AwsSecret>>;
  readonly service: string;
  /** Milliseconds since 1970. */
  readonly now: number;
};

/** The name of AWS's error, and its message. */
export type SignatureFault = { readonly type: string; readonly message: string };

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/\s,]+)\/(\d{8})\/([^/\s,]+)\/([^/\s,]+)\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/;
const MAX_SKEW_MS = 300_000;

const fault = (type: string, message: string): SignatureFault => ({ type, message });
const INVALID_TOKEN = fault(
  "UnrecognizedClientException",
  "The security token included in the request is invalid.",
);
const mismatch = (message: string): SignatureFault => fault("InvalidSignatureException", message);

/** @returns null where the signature is valid. */
export async function findSignatureFault(
  request: SignedRequest,
  rules: SigningRules,
): Promise<SignatureFault | null> {
  const { headers } = request;
  const match = AUTHORIZATION.exec(headers["authorization"] ?? "");
  if (match === null)
    return fault("IncompleteSignatureException", "Authorization header requires 'Credential' parameter.");
  const [, id = "", date = "", region = "", service = "", names = "", signature = ""] = match;
  const secret = Object.hasOwn(rules.keys, id) ? rules.keys[id] : undefined;
  if (secret === undefined || secret.sessionToken !== headers["x-amz-security-token"]) return INVALID_TOKEN;
  if (service !== rules.service)
    return mismatch(`Credential should be scoped to correct service: '${rules.service}'.`);
  const time = headers["x-amz-date"] ?? "";
  if (!time.startsWith(date))
    return mismatch("Date in Credential scope does not match YYYYMMDD from X-Amz-Date.");
  if (!(Math.abs(millisecondsOf(time) - rules.now) <= MAX_SKEW_MS))
    return mismatch(`Signature expired: ${time} is now earlier than the time of the server.`);
  const unsigned = unsignedHeader(headers, names.split(";"));
  if (unsigned !== undefined)
    return mismatch(`'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`);
  const scope = `${date}/${region}/${service}/aws4_request`;
  const expected = await sign(request, names.split(";"), { time, scope, secret: secret.secretAccessKey });
  return expected === signature
    ? null
    : mismatch(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
      );
}

/** A header that must be signed and is not: the host, the content type, and all of AWS's own. */
function unsignedHeader(headers: SignedRequest["headers"], names: readonly string[]): string | undefined {
  return Object.keys(headers).find(
    (name) =>
      (name === "host" || name === "content-type" || name.startsWith("x-amz-")) && !names.includes(name),
  );
}

type Signing = { readonly time: string; readonly scope: string; readonly secret: string };

/** The signature of the request: 64 hex digits. `names`: the signed headers. */
export async function sign(
  request: SignedRequest,
  names: readonly string[],
  { time, scope, secret }: Signing,
): Promise<string> {
  const canonical = await canonicalRequest(request, names);
  const toSign = ["AWS4-HMAC-SHA256", time, scope, await sha256(bytesOf(canonical))].join("\n");
  let key: Uint8Array = bytesOf(`AWS4${secret}`);
  for (const part of scope.split("/")) key = await hmac(key, part);
  return hex(await hmac(key, toSign));
}

async function canonicalRequest(
  { method, target, headers, body }: SignedRequest,
  names: readonly string[],
): Promise<string> {
  const [path = "", query = ""] = split(target, "?");
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim().replaceAll(/\s+/g, " ")}\n`);
  return [
    method,
    canonicalPath(path),
    canonicalQuery(query),
    lines.join(""),
    names.join(";"),
    await sha256(body),
  ].join("\n");
}

/** The segments as received, normalized (RFC 3986 §5.2.4) and encoded once more: all services but S3. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(encode(segment));
  }
  const end = segments.length > 0 && path.endsWith("/") ? "/" : "";
  return `/${segments.join("/")}${end}`;
}

function canonicalQuery(query: string): string {
  return query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => split(pair, "=").map((part) => encode(decodeURIComponent(part.replaceAll("+", "%20")))))
    .toSorted(([a = "", b = ""], [c = "", d = ""]) => (a < c ? -1 : a > c ? 1 : b < d ? -1 : b > d ? 1 : 0))
    .map(([name = "", value = ""]) => `${name}=${value}`)
    .join("&");
}

function split(text: string, by: string): readonly string[] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Every byte but those of unreserved characters, with upper-case digits. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** `20150830T123600Z`; NaN where it has another form. */
const millisecondsOf = (time: string): number =>
  Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The types of WebCrypto require a buffer that is not shared between threads; no buffer here is. */
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => bytes as Uint8Array<ArrayBuffer>;

async function sha256(bytes: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", own(bytes))));
}

async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", own(key), algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, own(bytesOf(text))));
}
