/** Everything that the app is made of. `wiring.ts` puts it together; tests replace parts of it. */
import type { RecordsService } from "../../events/records-service.ts";
import type { Redact } from "../../events/redaction.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import type { Config } from "../config/config.ts";
import type { VerifyDelegation } from "../initiator/delegation.ts";
import type { Verifiers } from "../initiator/verify-assertion.ts";
import type { Policy } from "../policy/policy.ts";
import type { Dialect } from "../provider/provider.ts";
import type { Sink } from "../sinks/recorder.ts";

export type Deps = {
  readonly config: Config;
  /** Verifies a delegating gateway's key; null where delegation is not configured. */
  readonly delegate: VerifyDelegation | null;
  /** Verify an owner assertion beyond its headers. */
  readonly verifiers: Verifiers;
  readonly policies: readonly Policy[];
  readonly sinks: readonly Sink[];
  /** Removes secrets from content before it is recorded. */
  readonly redact: Redact;
  /** The records Worker; null where it is not bound. */
  readonly records: RecordsService | null;
  /** The dialect of error bodies where no route names a provider. */
  readonly fallbackDialect: Dialect;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new UUID of version 4: the only source of randomness. */
  readonly randomUuid: () => string;
  /** Reports a failure of the gateway itself to the operator. */
  readonly logError: LogOperatorEvent;
};
