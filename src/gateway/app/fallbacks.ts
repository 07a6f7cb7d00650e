/** Where a model call may go if its provider fails: the fallbacks that can take this call. */
import { fraction } from "../../shared/uuid.ts";
import { isAbout, isMatch } from "../policy/budgets/subject.ts";
import type { Provider } from "../provider/provider.ts";
import { routeOfApi } from "../provider/route.ts";
import { chooseKey } from "../upstream/central-keys.ts";
import { checkPolicies } from "./call-upstream.ts";
import type { Exchange } from "./exchange.ts";
import { limitedCall } from "./spending.ts";
import type { Intercepted, Started } from "./start-call.ts";
import type { CallTarget } from "./upstream-call.ts";

/**
 * None for a call that only its own provider can make: with the client's own key, one that names other models too, or one that
 * uses what the provider has stored or will store. A fallback is left out where the call is not permitted there, or where other
 * budgets apply, which did not reserve it.
 */
export function fallbacksOf(
  exchange: Exchange,
  intercepted: Intercepted,
  started: Pick<Started, "outgoing" | "isPortable">,
): readonly CallTarget[] {
  const { fallbacks } = intercepted.route.provider;
  if (fallbacks.length === 0 || !started.isPortable || intercepted.credential.kind === "byok") return [];
  return fallbacks.flatMap((name) => {
    const provider = exchange.deps.config.providers.get(name);
    const callTarget = provider && callTargetAt(exchange, intercepted, started, provider);
    return callTarget && isPermitted(exchange, intercepted, started, callTarget) ? callTarget : [];
  });
}

function callTargetAt(
  { deps }: Exchange,
  { target, api }: Intercepted,
  { outgoing: { model, sentModel } }: Pick<Started, "outgoing">,
  provider: Provider,
): CallTarget | null {
  const route = routeOfApi(provider, api);
  const keys = deps.centralKeys.get(provider);
  if (route === null || !keys) return null;
  const credential = chooseKey(keys, () => fraction(deps.randomUuid()));
  return {
    // A query is of one API, and may hold a key of the client's.
    target: { ...target, search: "" },
    route,
    credential,
    sentModel: modelIdAt(provider, model, sentModel),
  };
}

/** By the client's name, or by the id for the provider of the route, which is sent where there is no other one. */
function modelIdAt({ modelIds }: Provider, model: string | null, sentModel: string | null): string | null {
  const own = model === null ? undefined : modelIds.get(model);
  if (own !== undefined || sentModel === null) return own ?? null;
  return modelIds.get(sentModel) ?? sentModel;
}

function isPermitted(
  exchange: Exchange,
  intercepted: Intercepted,
  { outgoing: { model, sentModel } }: Pick<Started, "outgoing">,
  fallback: CallTarget,
): boolean {
  if (checkPolicies(exchange, { ...intercepted, ...fallback }, fallback.sentModel ?? model, true))
    return false;
  const rules = exchange.deps.budgets?.rules ?? [];
  const own = limitedCall(exchange, intercepted, [model, sentModel ?? model]);
  const other = limitedCall(exchange, { ...intercepted, ...fallback }, [model, fallback.sentModel ?? model]);
  const limiters = exchange.deps.budgets?.platformLimits ?? [];
  return (
    rules.every((rule) => isAbout(rule, own) === isAbout(rule, other)) &&
    limiters.every(({ filter }) => isMatch(filter, own) === isMatch(filter, other))
  );
}
