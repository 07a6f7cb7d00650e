/** The Worker's entry. Configured once per isolate; where that fails, nothing is forwarded. */
import type { Hono } from "hono";
import { createApp } from "./app.ts";
import { readConfig, type ConfigProblems, type Env } from "./config.ts";
import { Refusal } from "./refusal.ts";
import { uuidV7 } from "./uuid.ts";
import { catalogue, fallbackDialect, wire } from "./wiring.ts";

/** By environment: production has one per isolate. */
const apps = new WeakMap<Env, Hono | ConfigProblems>();

function appFor(env: Env): Hono | ConfigProblems {
  const known = apps.get(env);
  if (known) return known;
  const config = readConfig(env, catalogue);
  const app = "problems" in config ? config : createApp(wire(config));
  apps.set(env, app);
  return app;
}

/** Names every wrong key on the console; tells the client nothing but that it is not its fault. */
function misconfigured({ problems }: ConfigProblems): Response {
  console.error(`configuration: ${problems.join(" | ")}`);
  const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
  const { status, message, reason, param } = new Refusal("misconfigured");
  return Response.json(fallbackDialect.errorBody({ status, message, code: reason, param, interceptionId }), {
    status,
    headers: { "x-interception-id": interceptionId, "x-interceptor-error": reason },
  });
}

export default {
  fetch(request, env, context) {
    const app = appFor(env);
    return "problems" in app ? misconfigured(app) : app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
