/** What the app knows of the API over the records, and what the API asks of the app. */
import type { Client } from "../../gateway/client/client.ts";
import type { Target } from "../../shared/http/target.ts";
import type { Credential } from "../../gateway/identity/credential.ts";
import type { Actor } from "../../gateway/identity/identity.ts";
import type { Delegation } from "../../gateway/initiator/delegation.ts";
import type { Flag } from "../../gateway/initiator/flags.ts";
import type { Decision } from "../../gateway/initiator/decision.ts";
import type { Dialect } from "../../gateway/provider/provider.ts";
import type { Route } from "../../gateway/provider/route.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { UpstreamCredential } from "../../gateway/upstream/credential.ts";

export type Api = {
  /** Whether a path, whatever follows it, is the API's and no provider's. */
  readonly hasPath: (path: string) => boolean;
  /** The methods that what stands at the path takes. */
  readonly methodsOf: (path: string) => readonly string[];
  readonly respond: (request: Request, target: Target, judge: Explain) => Promise<Response | Refusal>;
  /** Coder's API error: `message`, and `validations` where a parameter is at fault. */
  readonly errorBody: Dialect["errorBody"];
};

/** A request that nobody has sent. */
export type ExplainInput = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  /** 64 hex digits; null where it is not said. */
  readonly bodySha256: string | null;
};

/** What would be found out of it, as the app finds it: with secrets in it. What lies behind a refusal is null. */
export type Explanation = {
  readonly destination: "provider" | "api" | "base" | "not_found";
  readonly route: Route | null;
  readonly client: Client | null;
  /** Some gateway may delegate. */
  readonly delegates: boolean;
  readonly delegation: Delegation | null;
  readonly presented: Credential | null;
  readonly actor: Actor | null;
  readonly credential: UpstreamCredential | null;
  readonly decision: Decision | null;
  readonly flags: readonly Flag[];
  readonly refusal: Refusal | null;
};

export type Explain = (described: ExplainInput) => Promise<Explanation>;
