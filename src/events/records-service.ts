/** The RPC contract of the records Worker: what the gateway calls over its `RECORDS` service binding. */
import type { AdminHeaders } from "../shared/admin-headers.ts";
import type { RefusalCode, RefusalData } from "../shared/refusal.ts";
import type { Scope } from "../shared/scopes.ts";
import type { InterceptorEvent } from "./event.ts";

/** A refusal as it crosses the binding. */
export type RefusalParts = { readonly code: RefusalCode; readonly data: RefusalData };

/** The authorized caller. `by`: its name in events, `token:…` or `console:…`. */
export type AdmittedParts = { readonly by: string };

/** The sums of one principal's calls. */
export type PrincipalSpend = {
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_write_input_tokens: number;
  /** Of the calls whose cost is known. */
  readonly cost_micros: number;
  /** The calls whose cost is not known. */
  readonly unpriced: number;
};

export type RecordsService = {
  /** Serves the records API. */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Stores the events of messages (queue-message.ts) where there is no queue. Resolves when all are stored; storing them
   * again changes nothing. A gateway from before MACs passes the events themselves.
   */
  readonly store: (messages: readonly (string | InterceptorEvent)[]) => Promise<void>;
  /** The calls on the principal's account that began at `from` or later, in milliseconds since 1970; null where the ledger fails. */
  readonly spendOf: (source: string, id: string, from: number) => Promise<PrincipalSpend | null>;
  /**
   * Decides whether the caller that sent these headers has the scope.
   * @returns a refusal, or the caller. A gateway from before the console passes no scope: it means `admin`, and success is
   * null. A records Worker from before the console ignores the scope and returns null on success.
   */
  readonly authorize: (headers: AdminHeaders, scope?: Scope) => Promise<RefusalParts | AdmittedParts | null>;
};
