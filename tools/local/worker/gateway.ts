/**
 * The gateway's entry in a local run: src/gateway/index.ts behind a check of the caller's host. It also counts the events
 * that are not stored yet, for `npm run report` and for Ctrl-C. No deployment has this file in its bundle.
 */
import gateway, { OwnRoutes as GatewayOwnRoutes } from "../../../src/gateway/index.ts";
import type { Env } from "../../../src/shared/config/environment.ts";
import { CRON_PATH } from "../crons.ts";
import { UNDELIVERED_PATH, type Undelivered } from "../undelivered.ts";
import { countingContext, countingQueue, counts } from "./count.ts";
import { hostRefusal, isOfOtherPage } from "./host-check.ts";
import type { LocalDelivery } from "./records.ts";

export { NonceShard, ObjectOwnersShard } from "../../../src/gateway/index.ts";

/** Names of the bindings that only the local configuration has (tools/local/local-configs.ts). */
type LocalEnv = Env & {
  readonly LOCAL_HOSTS: readonly string[];
  readonly LOCAL_DELIVERY: Service<LocalDelivery>;
};

/** The environment as the gateway sees it; one per isolate, because the gateway caches its configuration by it. */
const gatewayEnvs = new WeakMap<Env, Env>();

function gatewayEnv(env: LocalEnv): Env {
  const known = gatewayEnvs.get(env);
  if (known) return known;
  const { LOCAL_HOSTS: _hosts, LOCAL_DELIVERY: _delivery, ...own } = env;
  const { EVENTS: queue } = own as { readonly EVENTS?: Queue };
  const seen = { ...own, ...(queue && { EVENTS: countingQueue(queue) }) };
  gatewayEnvs.set(env, seen);
  return seen;
}

async function undelivered({ LOCAL_DELIVERY }: LocalEnv): Promise<Response> {
  const events = counts.queued - (await LOCAL_DELIVERY.stored());
  return Response.json({ requests: counts.requests, events } satisfies Undelivered);
}

async function runCron({ searchParams }: URL, { LOCAL_DELIVERY }: LocalEnv): Promise<Response> {
  await LOCAL_DELIVERY.runCron(searchParams.get("cron") ?? "");
  return new Response(null, { status: 204 });
}

/** Of the operator's own binding `GATEWAY`. It has no host to check: only the records Worker reaches it. */
export class OwnRoutes extends GatewayOwnRoutes {
  constructor(context: ExecutionContext, env: LocalEnv) {
    super(context, gatewayEnv(env));
  }
}

export default {
  fetch(request, env, context) {
    const refusal = hostRefusal(request.headers, env.LOCAL_HOSTS);
    if (refusal !== null) return refusal;
    const url = new URL(request.url);
    if (url.pathname === UNDELIVERED_PATH) return undelivered(env);
    if (url.pathname === CRON_PATH && request.method === "POST" && !isOfOtherPage(request.headers))
      return runCron(url, env);
    const { context: counting, done } = countingContext(context);
    return Promise.resolve(gateway.fetch(request, gatewayEnv(env), counting)).finally(done);
  },
} satisfies ExportedHandler<LocalEnv>;
