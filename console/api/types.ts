/** Short names for parts of the API's responses. */
import type { Responses } from "./schema.ts";

export type Path = keyof Responses;

/** Query parameters; absent and empty ones are not sent. Path parameters are given by their name too. */
export type Query = Readonly<Record<string, string | number | null | undefined>>;

export type SessionSummary = Responses["/sessions"]["sessions"][number];
export type Session = Responses["/sessions/{session_id}"];
export type Thread = Session["threads"][number];
export type Action = Thread["agentic_actions"][number];
export type Agent = Responses["/sessions/{session_id}/agents"]["agents"][number];
export type Interception = Responses["/interceptions"]["results"][number];
export type Override = Responses["/overrides"]["results"][number];
export type Passthrough = Responses["/passthroughs"]["results"][number];
export type UsageRow = Responses["/usage"]["results"][number];
export type SpendRow = Responses["/spend"]["results"][number];
export type AttributionRow = Responses["/attribution"]["results"][number];
export type Anomaly = Responses["/anomalies"]["results"][number];
export type RefusalRow = Responses["/refusals"]["results"][number];
export type ProviderAttempts = Responses["/providers/attempts"]["results"][number];
export type RefusalCount = Responses["/refusals/counts"]["results"][number];
export type Access = Responses["/accesses"]["results"][number];
export type Account = Responses["/budgets"]["results"][number];
export type BudgetEvent = Responses["/budgets/events"]["results"][number];
export type Proof = Responses["/proof/{event_id}"];
export type Checkpoint = Responses["/checkpoint"];
export type ProviderRow = Responses["/providers"]["results"][number];
