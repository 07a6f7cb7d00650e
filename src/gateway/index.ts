/** The gateway Worker's entry: configured once per isolate. Where the config is invalid, nothing is forwarded. */
import type { Hono } from "hono/tiny";
import type { ConfigIssues, Env } from "../shared/config/environment.ts";
import { logOperatorEvent } from "../shared/operator-log.ts";
import { Refusal } from "../shared/refusal.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { createApp } from "./app/app.ts";
import { readConfig } from "./config/config.ts";
import { ObjectOwnersShard } from "./initiator/object-owners-shard.ts";
import { ReplayCacheShard } from "./initiator/replay-cache-shard.ts";
import { createDeps, fallbackDialect, registry } from "./wiring.ts";

/** By environment: production has one per isolate. */
const apps = new WeakMap<Env, Hono | ConfigIssues>();

function appFor(env: Env): Hono | ConfigIssues {
  const known = apps.get(env);
  if (known) return known;
  const config = readConfig(env, registry);
  const app = "issues" in config ? config : createApp(createDeps(config));
  apps.set(env, app);
  return app;
}

/** Logs every issue for the operator; tells the client only that the gateway is at fault. */
function misconfigured({ issues }: ConfigIssues): Response {
  logOperatorEvent({ event: "configuration_invalid", issues });
  const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
  const { status, message, code } = new Refusal("misconfigured");
  const headers = {
    "x-interception-id": interceptionId,
    "x-interceptor-error": code,
    "x-should-retry": "false",
  };
  return Response.json(fallbackDialect.errorBody({ status, message, code, param: null, interceptionId }), {
    status,
    headers,
  });
}

/**
 * The replay cache's Durable Object, bound as `NONCES` where `OWNER_ASSERTION.replay_cache` is on. It is exported under
 * the class name of existing deployments. Another name would require a Durable Object migration in each of them.
 */
export { ReplayCacheShard as NonceShard };

/** The Durable Object with the owners of stored objects, bound as `OBJECTS` where a provider's `objects.owners` is on. */
export { ObjectOwnersShard };

export default {
  fetch(request, env, context) {
    const app = appFor(env);
    return "issues" in app ? misconfigured(app) : app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
