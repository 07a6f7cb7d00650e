/** A request to the console's server side, and what serves one. */
import type { Refusal } from "../../shared/refusal.ts";

/** A request below `/console`, on the console's own host. */
export type ConsoleCall = {
  readonly request: Request;
  readonly search: string;
  /** The configured origin whose host the request names. */
  readonly origin: string;
  /** The response's `x-interception-id`. */
  readonly id: string;
};

/** Serves one route: a step of signing in or out. */
export type Step = (call: ConsoleCall) => Promise<Response | Refusal>;
