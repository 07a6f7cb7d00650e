/** Actions with a response at once: the proof of identity, headers, a JSON body, and the journal. */
import { count, journalOf, type Action, type Exchange } from "./env.ts";
import { ECHO_NAME, payloadText, type Hello, type SeenHeaders } from "./protocol.ts";

const MAX_PAYLOAD = 4 * 1024 * 1024;
const MAX_WAIT_MS = 30_000;

export const hello: Action = async ({ request, params, env, arrivedAt }) => {
  const body: Hello = {
    echo: ECHO_NAME,
    proof: await proofOf(params.get("nonce") ?? "", env.ECHO_SECRET ?? ""),
    at: arrivedAt,
    bindings: {
      journal: env.JOURNAL !== undefined,
      bucket: env.BUCKET !== undefined,
      queue: env.QUEUE !== undefined,
    },
    colo: text(request, "colo"),
  };
  return Response.json(body);
};

/** Values that are never returned, not even to the probe. */
const SECRET = /authorization|api-key|token|cookie/i;

export const echoHeaders: Action = ({ request }) => {
  const body: SeenHeaders = {
    headers: [...request.headers].map(([name, value]) => [name, SECRET.test(name) ? "(secret)" : value]),
    clientAcceptEncoding: text(request, "clientAcceptEncoding"),
    httpProtocol: text(request, "httpProtocol"),
  };
  return Response.json(body);
};

/** A JSON body of `bytes`, with Content-Length. */
export const payload: Action = (exchange) =>
  new Response(payloadText(count(exchange, "bytes", MAX_PAYLOAD)), {
    headers: { "content-type": "application/json" },
  });

/** The notes of the runs `runs`, once each has one of the notes `until`. */
export const report: Action = async (exchange) => {
  const list = (name: string): string[] => (exchange.params.get(name) ?? "").split(",").filter(Boolean);
  const waitMs = count(exchange, "wait_ms", MAX_WAIT_MS);
  const notes = (await journalOf(exchange)?.read(list("runs"), list("until"), waitMs)) ?? "[]";
  return new Response(notes, { headers: { "content-type": "application/json" } });
};

export const forget: Action = async (exchange) => {
  await journalOf(exchange)?.forget();
  return Response.json({});
};

/** A text of `request.cf`. */
function text({ cf }: Exchange["request"], name: string): string | null {
  const value = (cf as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof value === "string" && value !== "" ? value : null;
}

async function proofOf(nonce: string, secret: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(nonce)));
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
