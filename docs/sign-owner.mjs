/**
 * A proxy beside Coder that signs the owner headers of Coder Agents (docs/signing.md). It needs Node 22 or newer and no
 * packages:
 *
 *     GATEWAY_URL=https://ai.your-company.com SIGNING_SECRET=… PORT=8790 node docs/sign-owner.mjs
 *
 * In Coder, set the providers' base URLs to this proxy. Any client that can reach it can have any owner signed, so it
 * listens on loopback only: run it on Coder's own machine or pod.
 */
import { createHash, createHmac } from "node:crypto";
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
async function forward(gateway, secret, incoming, outgoing) {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  // The signature covers the target as sent to the gateway, below the path of its URL if there is one.
  const target = gateway.pathname.replace(/\/$/, "") + incoming.url;
  const headers = { ...incoming.headers };
  for (const name of HOP_BY_HOP) delete headers[name];
  const method = incoming.method ?? "GET";
  Object.assign(headers, signOnce(secret, { method, target, body, headers }), {
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
  const { GATEWAY_URL, SIGNING_SECRET, PORT = "8790" } = process.env;
  if (!GATEWAY_URL || !SIGNING_SECRET) throw new Error("GATEWAY_URL and SIGNING_SECRET are required");
  const gateway = new URL(GATEWAY_URL);
  const server = createServer((incoming, outgoing) => {
    forward(gateway, SIGNING_SECRET, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(Number(PORT), "127.0.0.1", () => {
    console.log(`signing for ${gateway.origin} on http://127.0.0.1:${server.address().port}`);
  });
}
