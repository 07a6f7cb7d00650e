/** `GET /me/spend`: for a caller's own credential. */
import { Refusal } from "../../shared/refusal.ts";
import { readCredential } from "../identity/credential.ts";
import { identify } from "../identity/identity.ts";
import { periodOf } from "../policy/budgets/period.ts";
import type { Subject } from "../policy/budgets/subject.ts";
import { respond } from "./api-response.ts";
import { accountOf, budgetRules, isOfPrincipals } from "./budget-account.ts";
import type { Exchange } from "./exchange.ts";

/** The budgets of the caller itself, and what its calls cost since the month began. */
export async function serveOwnSpend(exchange: Exchange): Promise<Response | Refusal> {
  const { headers, deps } = exchange;
  const credential = await readCredential(headers, deps.config.sources);
  if (credential instanceof Refusal) return credential;
  const actor = await identify(credential, deps.config.sources);
  if (actor instanceof Refusal) return actor;
  const { source, id, name } = actor;
  // The fingerprint of a key that nothing verifies is no person's.
  if (!actor.verified) return new Refusal("invalid_credential");
  const now = deps.now();
  const { start: from } = periodOf({ kind: "calendar", unit: "month", timeZone: "UTC" }, "dollars", now);
  const spend = deps.records && (await deps.records.spendOf(source, id, from).catch(() => null));
  const subject: Subject = { kind: "principal", source, id };
  const rules = budgetRules(deps.budgets).filter(isOfPrincipals);
  const budgets = await Promise.all(
    rules.map((rule) => accountOf(deps.budgets, rule, { subject, name }, now)),
  );
  return respond(exchange, {
    id,
    source,
    name,
    started_after: new Date(from).toISOString(),
    spend,
    budgets,
  });
}
