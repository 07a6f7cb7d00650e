/** What the app is made of; `wiring.ts` puts it together, and tests put their own in. */
import type { Api } from "../../records/api/contract.ts";
import type { Config } from "../config/config.ts";
import type { Sink } from "../sinks/recorder.ts";
import type { Redact } from "../../events/redaction.ts";
import type { VerifyDelegation } from "../initiator/delegation.ts";
import type { Verifiers } from "../initiator/verify-assertion.ts";
import type { Policy } from "../policy/policy.ts";
import type { Dialect } from "../provider/provider.ts";

/** Everything that touches the world comes in here. */
export type Deps = {
  readonly config: Config;
  /** Knows a gateway that speaks for its users; null: there is none. */
  readonly delegate: VerifyDelegation | null;
  /** Who can say more of an owner than the headers do. */
  readonly verifiers: Verifiers;
  readonly policies: readonly Policy[];
  readonly sinks: readonly Sink[];
  /** Takes secrets out of content before it is recorded. */
  readonly redact: Redact;
  /** Answers who asks about the records. */
  readonly api: Api;
  /** Speaks when there is no provider to speak for: an unknown route. */
  readonly fallbackDialect: Dialect;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  /** A new UUID of version 4: where all randomness comes from. */
  readonly randomUuid: () => string;
  /** For what is wrong with ourselves: a sink that fails, an error nobody expected. */
  readonly logError: (line: string) => void;
};
