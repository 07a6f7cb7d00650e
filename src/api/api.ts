/** What the app knows of the API over the records. */
import type { Target } from "../http/target.ts";
import type { Dialect } from "../provider/provider.ts";
import type { Refusal } from "../refusal.ts";

export type AdminApi = {
  /** Whether a path, whatever follows it, is the API's and no provider's. */
  readonly takes: (path: string) => boolean;
  readonly answer: (request: Request, target: Target) => Promise<Response | Refusal>;
  /** Coder's API error: `message`, and `validations` where a parameter is at fault. */
  readonly errorBody: Dialect["errorBody"];
};
