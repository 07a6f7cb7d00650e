/** The gateway's entry in the demonstration: the one of `npm start`, with a clock that the demonstration sets. */
import local, {
  NonceShard as LocalNonceShard,
  ObjectOwnersShard as LocalObjectOwnersShard,
} from "../../local/worker/gateway.ts";
import { hostRefusal } from "../../local/worker/host-check.ts";
import { CLOCK_PATH } from "../clock.ts";
import { readAge } from "./clock-request.ts";
import { setAge, useClockForAlarms } from "./clock.ts";
import type { LocalDelivery } from "./records.ts";

/** Bound only by the operator's own settings, as the next one. */
export class NonceShard extends LocalNonceShard {
  constructor(state: DurableObjectState) {
    useClockForAlarms(state.storage);
    super(state);
  }
}

export class ObjectOwnersShard extends LocalObjectOwnersShard {
  constructor(state: DurableObjectState) {
    useClockForAlarms(state.storage);
    super(state);
  }
}

type DemoEnv = Parameters<typeof local.fetch>[1] & { readonly LOCAL_DELIVERY: Service<LocalDelivery> };

async function setClock(request: Request, { LOCAL_DELIVERY }: DemoEnv): Promise<Response> {
  const ageMs = readAge(request);
  if (ageMs === null) return new Response(null, { status: 400 });
  await LOCAL_DELIVERY.setClock(ageMs);
  setAge(ageMs);
  return new Response(null, { status: 204 });
}

export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== CLOCK_PATH) return local.fetch(request, env, context);
    return hostRefusal(request.headers, env.LOCAL_HOSTS) ?? setClock(request, env);
  },
} satisfies ExportedHandler<DemoEnv>;
