/** Every endpoint of the API. A new one is one file in routes/ and one line here. */
import { accesses } from "./routes/accesses.ts";
import { anomalies } from "./routes/anomalies.ts";
import { attribution } from "./routes/attribution.ts";
import type { Endpoint } from "./kit/endpoint.ts";
import { budgetEvents } from "./routes/budget-events.ts";
import { budgetChanges, budgets, ownSpend } from "./routes/budgets.ts";
import { checkpoint } from "./routes/checkpoint.ts";
import { costCorrections } from "./routes/corrections.ts";
import { explain } from "./routes/explain.ts";
import { interceptions } from "./routes/interceptions.ts";
import { openapi } from "./kit/openapi.ts";
import { passthroughs } from "./routes/passthroughs.ts";
import { overrides } from "./routes/overrides.ts";
import { providerAttempts } from "./routes/provider-attempts.ts";
import { providers } from "./routes/providers.ts";
import { proof } from "./routes/proof.ts";
import { refusalCounts } from "./routes/refusal-counts.ts";
import { refusals } from "./routes/refusals.ts";
import { session } from "./routes/session.ts";
import { sessionAgents } from "./routes/session-agents.ts";
import { sessions } from "./routes/sessions.ts";
import { spend } from "./routes/spend.ts";
import { unauthenticatedEvents } from "./routes/unauthenticated-events.ts";
import { usage } from "./routes/usage.ts";

export const ENDPOINTS: readonly Endpoint[] = [
  sessions,
  session,
  sessionAgents,
  interceptions,
  overrides,
  passthroughs,
  usage,
  spend,
  providers,
  providerAttempts,
  attribution,
  anomalies,
  refusals,
  refusalCounts,
  accesses,
  unauthenticatedEvents,
  proof,
  checkpoint,
  explain,
  budgets,
  budgetEvents,
  budgetChanges,
  costCorrections,
  ownSpend,
  openapi(() => ENDPOINTS),
];
