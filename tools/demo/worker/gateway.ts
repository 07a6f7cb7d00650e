/** The gateway's entry in the demonstration: the one of `npm start`, with a clock that the demonstration sets. */
import local from "../../local/worker/gateway.ts";
import { hostRefusal } from "../../local/worker/host-check.ts";
import { CLOCK_PATH } from "../clock.ts";
import { setAge } from "./clock.ts";
import type { LocalDelivery } from "./records.ts";

export { NonceShard, ObjectOwnersShard } from "../../local/worker/gateway.ts";

type DemoEnv = Parameters<typeof local.fetch>[1] & { readonly LOCAL_DELIVERY: Service<LocalDelivery> };

/** `?age_ms=…`: how far in the past both Workers are from now on. */
async function setClock(url: URL, { LOCAL_DELIVERY }: DemoEnv): Promise<Response> {
  const ageMs = Number(url.searchParams.get("age_ms"));
  await LOCAL_DELIVERY.setClock(ageMs);
  setAge(ageMs);
  return new Response(null, { status: 204 });
}

export default {
  fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname !== CLOCK_PATH) return local.fetch(request, env, context);
    return hostRefusal(request.headers, env.LOCAL_HOSTS) ?? setClock(url, env);
  },
} satisfies ExportedHandler<DemoEnv>;
