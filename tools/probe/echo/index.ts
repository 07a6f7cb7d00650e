/**
 * The echo provider: a Worker that the gateway under test calls in place of an AI provider, and that reports what reached
 * it. Each action requires the secret ECHO_SECRET, so that a deployed echo serves no other caller.
 */
import { durable, putTwice, queueDelivery } from "./bindings.ts";
import { echoHeaders, forget, hello, payload, report } from "./control.ts";
import type { Action, Env, QueueMessage } from "./env.ts";
import { grace } from "./grace.ts";
import { MIN_SECRET_LENGTH } from "./protocol.ts";
import { stream } from "./stream.ts";
import { upload } from "./upload.ts";

export { Journal } from "./journal.ts";

const ACTIONS: Readonly<Record<string, Action>> = {
  hello,
  headers: echoHeaders,
  payload,
  report,
  forget,
  stream,
  grace,
  upload,
  bucket: putTwice,
  queue: queueDelivery,
  durable,
};

export default {
  async fetch(request, env, ctx) {
    const arrivedAt = Date.now();
    const { pathname, searchParams: params } = new URL(request.url);
    const secret = env.ECHO_SECRET ?? "";
    // Fails closed: a deployment without its secret serves nothing.
    if (secret.length < MIN_SECRET_LENGTH) return new Response("ECHO_SECRET is not set\n", { status: 503 });
    if (pathname === "/healthz") return new Response("ok\n");
    if (!(await isSecret(request.headers.get("authorization") ?? "", secret)))
      return Response.json({ error: { message: "the probe's secret is required" } }, { status: 401 });
    const name = params.get("probe") ?? "";
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (!action) return Response.json({ error: { message: "no such action" } }, { status: 404 });
    return action({ request, params, env, ctx, run: params.get("run") ?? "", arrivedAt });
  },

  async queue({ messages }, { JOURNAL }) {
    const at = Date.now();
    for (const { body } of messages) {
      const journal = JOURNAL?.get(JOURNAL.idFromName(body.session));
      await journal?.put(body.run, "consumed", JSON.stringify({ at }));
    }
  },
} satisfies ExportedHandler<Env, QueueMessage>;

const digest = (text: string): Promise<ArrayBuffer> =>
  crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

/** Compares digests: `timingSafeEqual` requires equal lengths. */
async function isSecret(authorization: string, secret: string): Promise<boolean> {
  const [sent, expected] = await Promise.all([digest(authorization), digest(`Bearer ${secret}`)]);
  return crypto.subtle.timingSafeEqual(sent, expected);
}
