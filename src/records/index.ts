/**
 * The records Worker's entry: the API and the RPC methods that the gateway calls, the queue's consumer and the cron.
 * Configured once per isolate.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { InterceptorEvent } from "../events/event.ts";
import type {
  AdmittedParts,
  PrincipalSpend,
  RecordsService,
  RefusalParts,
} from "../events/records-service.ts";
import type { AdminHeaders } from "../shared/admin-headers.ts";
import type { ConfigIssues, Env } from "../shared/config/environment.ts";
import { logOperatorEvent } from "../shared/operator-log.ts";
import { Refusal } from "../shared/refusal.ts";
import type { Scope } from "../shared/scopes.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { deadLetterQueueOf, readConfig, type Config } from "./config/config.ts";
import { BudgetObject } from "./objects/budget-object.ts";
import { consumeUnconfigured, createRecords, type Records } from "./wiring.ts";

/** By environment: production has one per isolate. */
const workers = new WeakMap<Env, Records | ConfigIssues>();

function recordsFor(env: Env): Records | ConfigIssues {
  const known = workers.get(env);
  if (known) return known;
  const config = readConfig(env);
  const records = "issues" in config ? config : createRecords(config);
  workers.set(env, records);
  if (!("issues" in config)) logUnmarked(config);
  return records;
}

function logUnmarked({ eventMac: { keys, acceptsMissing } }: Config): void {
  const reason = keys.length === 0 ? "no_key" : acceptsMissing ? "accept" : null;
  if (reason !== null) logOperatorEvent({ event: "event_mac_not_required", reason });
}

const logIssues = ({ issues }: ConfigIssues): void =>
  logOperatorEvent({ event: "configuration_invalid", issues });

const MISCONFIGURED = new Refusal("misconfigured");

export { BudgetObject };

/** `fetch` and the RPC methods can be called over a service binding; the Internet reaches only `fetch`. */
export default class RecordsWorker extends WorkerEntrypoint<Env> implements RecordsService {
  override async fetch(request: Request): Promise<Response> {
    const records = recordsFor(this.env);
    if (!("issues" in records))
      return this.#held(records.fetch(request, (promise) => void this.ctx.waitUntil(promise)));
    logIssues(records);
    const { status, message, code } = MISCONFIGURED;
    const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
    const headers = { "x-interception-id": interceptionId, "x-interceptor-error": code };
    return Response.json({ message }, { status, headers });
  }

  async store(messages: readonly (string | InterceptorEvent)[]): Promise<void> {
    return this.#held(this.#records().store(messages));
  }

  async spendOf(source: string, id: string, from: number): Promise<PrincipalSpend | null> {
    return this.#held(this.#records().spendOf(source, id, from));
  }

  async authorize(headers: AdminHeaders, scope?: Scope): Promise<RefusalParts | AdmittedParts | null> {
    const records = recordsFor(this.env);
    if (!("issues" in records)) return this.#held(records.authorize(headers, scope));
    logIssues(records);
    return { code: MISCONFIGURED.code, data: {} };
  }

  override async queue(batch: MessageBatch): Promise<void> {
    const records = recordsFor(this.env);
    if (!("issues" in records)) return records.consume(batch);
    logIssues(records);
    consumeUnconfigured(batch, deadLetterQueueOf(this.env));
  }

  override async scheduled({ cron, scheduledTime }: ScheduledController): Promise<void> {
    await this.#records().runCron(cron, scheduledTime);
  }

  /**
   * Keeps the call alive until it is done. Without it, a call ends with its caller's context: a client that disconnects, or the end
   * of the gateway's `waitUntil`. Other requests may wait for the same fetch of an issuer's keys (shared/single-flight.ts).
   * https://developers.cloudflare.com/workers/runtime-apis/rpc/lifecycle/
   */
  #held<T>(result: Promise<T>): Promise<T> {
    this.ctx.waitUntil(result.catch(() => undefined));
    return result;
  }

  /** Throws while the config is invalid, so that the failure is visible. */
  #records(): Records {
    const records = recordsFor(this.env);
    if (!("issues" in records)) return records;
    logIssues(records);
    throw new Error("the configuration is invalid");
  }
}
