/** Sources of Workers that only forward. */

/** The Worker that all others are compared with. */
export const BARE = `export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname, request));
  },
};`;

/** The native part of observing a stream: one branch goes to the client, and the other is not read. */
export const TEE_AND_PIPE = `export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const response = await fetch(new Request(env.UPSTREAM + pathname, request));
    const [toClient, observed] = response.body.tee();
    const { readable, writable } = new IdentityTransformStream();
    context.waitUntil(toClient.pipeTo(writable).then(() => observed.cancel()));
    return new Response(readable, response);
  },
};`;

/**
 * Forwarders between the bare Worker and the gateway. Each adds one operation to the one before, so its cost is the
 * minimum that any Worker with that operation has.
 */
const module = (steps: string): string => `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of ["host", "content-length", "authorization"]) headers.delete(name);
    headers.set("authorization", "Bearer sk-bench-0123456789");
    const forward = (body) => fetch(env.UPSTREAM + pathname, { method: request.method, headers, body });
    ${steps}
  },
};
const decoder = new TextDecoder();
const LINE = JSON.stringify({ message: "interception log", filling: "x".repeat(900) });`;

const READ_REQUEST = "const sent = await request.arrayBuffer();";
const PARSE_REQUEST = "JSON.parse(decoder.decode(sent));";
const READ_RESPONSE = "const response = await forward(sent); const received = await response.arrayBuffer();";
const PARSE_RESPONSE = "JSON.parse(decoder.decode(received));";
const RESPOND = "return new Response(received, response);";

export const BASELINES: Readonly<Record<string, string>> = {
  "request read": module(`${READ_REQUEST} return forward(sent);`),
  "both read": module(`${READ_REQUEST} ${READ_RESPONSE} ${RESPOND}`),
  "both parsed": module(`${READ_REQUEST} ${PARSE_REQUEST} ${READ_RESPONSE} ${PARSE_RESPONSE} ${RESPOND}`),
  "four lines": module(
    `${READ_REQUEST} ${PARSE_REQUEST} ${READ_RESPONSE} ${PARSE_RESPONSE}
    for (let n = 0; n < 4; n += 1) console.log(LINE); ${RESPOND}`,
  ),
};
