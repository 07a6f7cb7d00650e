/** Everything that the app is made of. `wiring.ts` puts it together; tests replace parts of it. */
import type { RecordsService } from "../../events/records-service.ts";
import type { Redact } from "../../events/redaction.ts";
import type { ByteBudget } from "../../shared/byte-budget.ts";
import type { SecretFinder } from "../../shared/secret-finder.ts";
import type { After } from "../../shared/deadline.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import type { PriceCall } from "../../shared/prices/pricing.ts";
import type { Pace } from "../../shared/send-deadline.ts";
import type { Config } from "../config/config.ts";
import type { VerifyDelegation } from "../initiator/delegation.ts";
import type { ObjectOwners } from "../initiator/object-owners-client.ts";
import type { Verifiers } from "../initiator/verify-assertion.ts";
import type { Policy } from "../policy/policy.ts";
import type { Dialect } from "../provider/provider.ts";
import type { Sink } from "../sinks/recorder.ts";
import type { ToRecordedEndUser } from "../client/recorded-end-user.ts";
import type { CentralKeys } from "../upstream/central-keys.ts";
import type { Guards } from "../upstream/guards.ts";
import type { SpendingDeps } from "./spending.ts";
import type { RejectedOptIns } from "./usage-opt-in.ts";

export type Deps = {
  readonly config: Config;
  /** 16 hex digits that name the configuration in records. Resolved before the first request is decided. */
  readonly configVersion: Promise<string>;
  /** Verifies a delegating gateway's key; null where delegation is not configured. */
  readonly delegate: VerifyDelegation | null;
  /** Verify an owner assertion beyond its headers. */
  readonly verifiers: Verifiers;
  readonly policies: readonly Policy[];
  /** The owners of stored objects; null where they are not bound. */
  readonly owners: ObjectOwners | null;
  readonly sinks: readonly Sink[];
  /** The central keys and their states, shared by all requests of the isolate. */
  readonly centralKeys: CentralKeys;
  /** The circuit breakers and caps of providers, shared by all requests of the isolate. */
  readonly guards: Guards;
  /** Removes secrets from content before it is recorded. */
  readonly redact: Redact;
  readonly price: PriceCall;
  /** null where nothing is limited. */
  readonly budgets: SpendingDeps | null;
  /** Finds the configured secrets; null where there are none. */
  readonly secrets: SecretFinder | null;
  readonly toRecordedEndUser: ToRecordedEndUser;
  /** 64 hex digits that stand for a text which is not recorded. */
  readonly hashText: (text: string) => Promise<string>;
  /** The records Worker; null where it is not bound. */
  readonly records: RecordsService | null;
  /** The dialect of error bodies where no route names a provider. */
  readonly fallbackDialect: Dialect;
  /** How request bodies are read; its budget is shared by all requests of the isolate. */
  readonly bodies: BodyReading;
  /** The usage opt-ins that providers rejected, shared by all requests of the isolate. */
  readonly rejectedOptIns: RejectedOptIns;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new UUID of version 4: the only source of randomness. */
  readonly randomUuid: () => string;
  /** Reports a failure of the gateway itself to the operator. */
  readonly logError: LogOperatorEvent;
};

/** How the bodies of all requests are read. */
export type BodyReading = {
  readonly pace: Pace;
  readonly budget: ByteBudget;
  /** How long a request may need its body once it is read. After that the budget takes the request for dead. */
  readonly neededMs: number;
  readonly now: () => number;
  readonly after?: After;
};
