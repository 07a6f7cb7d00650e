/** The prices of today: the price table, and `PRICES` of the deployment or the local run whose ledger is read. */
import { readPrices } from "../../src/gateway/config/prices.ts";
import { readProviders } from "../../src/gateway/config/providers.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { readEnvironment, type Env } from "../../src/shared/config/environment.ts";
import type { PriceRules } from "../../src/shared/prices/pricing.ts";
import { environmentOf } from "../deploy/check.ts";
import { readWorkers } from "../deploy/worker-configs.ts";
import { chooseSetup, readDevVarsFiles } from "../local/dev-vars.ts";
import type { LedgerPlace } from "../local/ledger-sql.ts";
import { StartFailure } from "../local/start-failure.ts";
import { ROOT } from "../root.ts";

/** Prices follow from the address of a provider, and the local one's is in no price list, regardless of its port. */
const LOCAL_PROVIDER = "http://127.0.0.1:8788";

/** @throws StartFailure where `PROVIDERS` or `PRICES` is not valid. */
export function priceRulesOf({ remote, environment }: LedgerPlace): PriceRules {
  const { gateway } = readWorkers(ROOT, { gatewayOnly: true, environment });
  const deployed = environmentOf(gateway);
  if (remote || environment !== null) return readPriceRules(deployed);
  const files = readDevVarsFiles();
  return readPriceRules({
    ...deployed,
    ...chooseSetup(files, LOCAL_PROVIDER).vars.gateway,
    ...files.gateway,
  });
}

/** As the gateway reads them, without the secrets that a deployment has. */
export function readPriceRules(env: Env): PriceRules {
  const issues: string[] = [];
  const report = (path: string, issue: string): void => void issues.push(`${path} ${issue}.`);
  const { value, has } = readEnvironment(env, report);
  const providers = readProviders(value("PROVIDERS"), {
    dialects: registry.dialects,
    verifies: true,
    key: () => null,
    report,
  });
  const rules = readPrices(has("PRICES") ? value("PRICES") : null, providers, report);
  if (issues[0] !== undefined) throw new StartFailure(issues[0]);
  return rules;
}
