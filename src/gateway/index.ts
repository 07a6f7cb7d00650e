/** The gateway Worker's entry: configured once per isolate. Where the config is invalid, nothing is forwarded. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Hono } from "hono/tiny";
import type { ConfigIssues, Env } from "../shared/config/environment.ts";
import { logOperatorEvent } from "../shared/operator-log.ts";
import { Refusal } from "../shared/refusal.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { API_DIALECT } from "./app/api-dialect.ts";
import { createApp, serveForwarded } from "./app/app.ts";
import type { Deps } from "./app/deps.ts";
import { readConfig } from "./config/config.ts";
import { ObjectOwnersShard } from "./initiator/object-owners-shard.ts";
import { ReplayCacheShard } from "./initiator/replay-cache-shard.ts";
import { createDeps, fallbackDialect, registry } from "./wiring.ts";

type Gateway = { readonly app: Hono; readonly deps: Deps };

/** By environment: production has one per isolate. */
const gateways = new WeakMap<Env, Gateway | ConfigIssues>();

function gatewayFor(env: Env): Gateway | ConfigIssues {
  const known = gateways.get(env);
  if (known) return known;
  const config = readConfig(env, registry);
  const gateway = "issues" in config ? config : createGateway(createDeps(config));
  gateways.set(env, gateway);
  return gateway;
}

const createGateway = (deps: Deps): Gateway => ({ app: createApp(deps), deps });

/** Logs every issue for the operator; tells the client only that the gateway is at fault. */
function misconfigured({ issues }: ConfigIssues, errorBody: typeof fallbackDialect.errorBody): Response {
  logOperatorEvent({ event: "configuration_invalid", issues });
  const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
  const { status, message, code } = new Refusal("misconfigured");
  const headers = {
    "x-interception-id": interceptionId,
    "x-interceptor-error": code,
    "x-should-retry": "false",
  };
  return Response.json(errorBody({ status, message, code, param: null, interceptionId }), {
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

/**
 * The entrypoint behind the records Worker's binding `GATEWAY`: the API routes that only the gateway can serve, and no provider.
 * Each request is authorized as on the gateway's own host.
 */
export class OwnRoutes extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    const gateway = gatewayFor(this.env);
    return "issues" in gateway
      ? misconfigured(gateway, API_DIALECT.errorBody)
      : serveForwarded(request, gateway.deps, (promise) => this.ctx.waitUntil(promise));
  }
}

export default {
  fetch(request, env, context) {
    const gateway = gatewayFor(env);
    return "issues" in gateway
      ? misconfigured(gateway, fallbackDialect.errorBody)
      : gateway.app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
