/**
 * A proxy beside Coder that signs the owner headers of Coder Agents (docs/signing.md). It needs Node 22 or newer and no
 * packages:
 *
 *     GATEWAY_URL=https://ai.your-company.com SIGNING_SECRET=… PORT=8790 node docs/sign-owner.mjs
 *
 * With KEY_ID it sends HTTP message signatures (RFC 9421) instead of Coder's format: `hmac-sha256` with SIGNING_SECRET, or
 * `ed25519` with SIGNING_KEY_FILE, a private key in PEM (`openssl genpkey -algorithm ed25519`).
 *
 * In Coder, set the providers' base URLs to this proxy. Any client that can reach it can have any owner signed, so it
 * listens on loopback only: run it on Coder's own machine or pod.
 */
import { createHash, createHmac, createPrivateKey, randomUUID, sign as signBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { pathToFileURL } from "node:url";

/** Returns the two headers of a signature for a request. `target`: path and query, exactly as sent. */
export function sign(secret, { method, target, body, headers, now = Date.now() }) {
  const timestamp = String(Math.floor(now / 1000));
  const lines = [
    "v1",
    timestamp,
    method.toUpperCase(),
    target,
    createHash("sha256").update(body).digest("hex"),
    `owner=${headers["x-coder-owner-id"] ?? ""}`,
    `chat=${headers["x-coder-chat-id"] ?? ""}`,
    `subchat=${headers["x-coder-subchat-id"] ?? ""}`,
    `workspace=${headers["x-coder-workspace-id"] ?? ""}`,
  ];
  const mac = createHmac("sha256", secret).update(lines.join("\n")).digest("hex");
  return { "x-coder-signature-timestamp": timestamp, "x-coder-signature": `v1=${mac}` };
}

/** The headers that say on whose account a request is made. The gateway requires those that are sent to be covered. */
const IDENTITY =
  /^x-coder-(?:(?:owner|chat|subchat|workspace)-id|ai-gateway-(?:delegated-key-id|source|workspace-id))$/;

/**
 * Returns the three headers of an HTTP message signature for a request. `key`: its `id`, and a `secret` (hmac-sha256) or a
 * `privateKey` (ed25519). `url`: absolute, exactly as sent.
 */
export function signHttp(key, { method, url, body, headers, now = Date.now(), nonce = randomUUID() }) {
  const digest = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
  const { host, protocol } = new URL(url);
  const target = url.slice(url.indexOf("/", protocol.length + 2));
  const covered = Object.keys(headers).filter((name) => IDENTITY.test(name) || name === "content-encoding");
  const values = {
    "@method": method,
    "@authority": host,
    "@target-uri": `${protocol}//${host}${target}`,
    "content-digest": digest,
    ...Object.fromEntries(covered.map((name) => [name, headers[name].trim()])),
  };
  const created = Math.floor(now / 1000);
  const names = Object.keys(values).map((name) => `"${name}"`);
  const params = `(${names.join(" ")});created=${created};expires=${created + 60};nonce="${nonce}";keyid="${key.id}"`;
  const lines = Object.entries(values).map(([name, value]) => `"${name}": ${value}`);
  const base = [...lines, `"@signature-params": ${params}`].join("\n");
  const signature = key.privateKey
    ? signBytes(null, Buffer.from(base), key.privateKey).toString("base64")
    : createHmac("sha256", key.secret).update(base).digest("base64");
  return {
    "content-digest": digest,
    "signature-input": `sig1=${params}`,
    signature: `sig1=:${signature}:`,
  };
}

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
];

/** In either format: a request with two signatures is rejected. */
const SIGNATURES = ["x-coder-signature", "x-coder-signature-timestamp", "signature", "signature-input"];

/** Signatures of the last minutes. */
const used = new Set();

/**
 * Like `sign`, but never returns a signature twice: a request that is repeated within a second (a retry of an SDK) is signed
 * for the next second, because the gateway's replay cache would otherwise reject it.
 */
function signOnce(secret, request) {
  for (let now = Date.now(); ; now += 1000) {
    const signature = sign(secret, { ...request, now });
    const mac = signature["x-coder-signature"];
    if (used.has(mac)) continue;
    used.add(mac);
    setTimeout(() => used.delete(mac), 600_000).unref();
    return signature;
  }
}

/** Signs and forwards one request, and streams the response back. */
async function forward(gateway, signRequest, incoming, outgoing) {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  // The signature covers the target as sent to the gateway, below the path of its URL if there is one.
  const target = gateway.pathname.replace(/\/$/, "") + incoming.url;
  const headers = { ...incoming.headers };
  for (const name of [...HOP_BY_HOP, ...SIGNATURES]) delete headers[name];
  const method = incoming.method ?? "GET";
  const url = gateway.origin + target;
  Object.assign(headers, signRequest({ method, target, url, body, headers }), {
    "content-length": body.length,
  });

  const send = gateway.protocol === "https:" ? tlsRequest : plainRequest;
  const { hostname, port, protocol } = gateway;
  const call = send({ protocol, hostname, port, method, path: target, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(outgoing);
  });
  call.on("error", () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
  outgoing.on("close", () => call.destroy());
  call.end(body);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { GATEWAY_URL, SIGNING_SECRET, SIGNING_KEY_FILE, KEY_ID, PORT = "8790" } = process.env;
  if (!GATEWAY_URL || !(SIGNING_SECRET || (KEY_ID && SIGNING_KEY_FILE)))
    throw new Error("GATEWAY_URL and SIGNING_SECRET, or KEY_ID and SIGNING_KEY_FILE, are required");
  const gateway = new URL(GATEWAY_URL);
  const privateKey = SIGNING_KEY_FILE && createPrivateKey(readFileSync(SIGNING_KEY_FILE));
  const key = { id: KEY_ID, secret: SIGNING_SECRET, privateKey };
  const signRequest = (request) => (KEY_ID ? signHttp(key, request) : signOnce(SIGNING_SECRET, request));
  const server = createServer((incoming, outgoing) => {
    forward(gateway, signRequest, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(Number(PORT), "127.0.0.1", () => {
    console.log(`signing for ${gateway.origin} on http://127.0.0.1:${server.address().port}`);
  });
}
