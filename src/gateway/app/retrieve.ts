/**
 * Results of earlier model calls that a management request reads: a background response, or the results of a batch. Their
 * usage is recorded under the id of that response or batch, so that the ledger counts it once and for its creator, for each
 * reader and each reading. A file of results does not name its batch, so the batch that names the file is recorded too.
 */
import {
  batchFileEvent,
  NOTHING_RETRIEVED,
  retrievedUsageEvent,
  type RetrievedFacts,
} from "../../events/compose.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import { watchForSecrets, type SecretWatch } from "../../shared/secret-finder.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { readLines } from "../observation/lines.ts";
import { observe, type ObservedResponse } from "../observation/observe.ts";
import { usageState } from "../observation/outcome.ts";
import { observeTee } from "../observation/tee.ts";
import type { BatchRetrieval, Retrieval, UsageRetrieval } from "../provider/provider.ts";
import {
  EMPTY_REPORT,
  type ContentOptions,
  type ResponseReader,
  type ResponseReport,
} from "../provider/response-reader.ts";
import { asName, sumOf } from "../provider/usage.ts";
import type { Forwardable } from "./call-upstream.ts";
import type { Exchange } from "./exchange.ts";
import { reportLeak } from "./secret-leak.ts";

const NO_CONTENT: ContentOptions = { toolInputs: false, thoughts: false, errorMessages: false };
/** Events that are passed on at once. A batch has up to 100,000 results. */
const GROUP = 100;

/** `id`: the provider's id of what is read; empty for a list. */
export type RetrievedId = { readonly retrieval: Retrieval; readonly id: string };

/** The retrieval that the request makes; null if it makes none. */
export function findRetrieval({ request }: Exchange, { route }: Forwardable): RetrievedId | null {
  if (request.method !== "GET") return null;
  for (const retrieval of route.provider.dialect.retrievals) {
    const match = retrieval.path.exec(route.upstreamPath);
    if (match) return { retrieval, id: match[1] ?? "" };
  }
  return null;
}

export type RetrievedResponse = {
  readonly body: BodyInit | null;
  readonly isModified: boolean;
  /** The client must not get the body: it contains a configured secret. */
  readonly isLeak: boolean;
  /** Never rejects. */
  readonly facts: Promise<RetrievedFacts>;
};

type Received = { readonly response: Response; readonly abort: AbortController };

/** Passes the response on and records what it has of earlier calls. `response` must be a success. */
export function observeRetrieval(
  exchange: Exchange,
  forwardable: Forwardable,
  { retrieval, id }: RetrievedId,
  received: Received,
): Promise<RetrievedResponse> {
  return retrieval.reads === "batches"
    ? observeBatches(exchange, forwardable, retrieval, received)
    : observeUsage(exchange, forwardable, { retrieval, id }, received);
}

/** Records which file has the results of which batch. */
async function observeBatches(
  exchange: Exchange,
  { route, caller }: Forwardable,
  { readBatches }: BatchRetrieval,
  received: Received,
): Promise<RetrievedResponse> {
  const { id: retrievalId, deps, recorder } = exchange;
  const record = (body: unknown): void => {
    const at = deps.now();
    for (const { batchId, fileId } of readBatches(body)) {
      const facts = { id: uuidV7(at, deps.randomUuid()), retrievalId, batchId, fileId };
      recorder.record(batchFileEvent(caller, route.provider.name, facts, at));
    }
  };
  const reader = { event: () => undefined, body: record, report: () => EMPTY_REPORT };
  const secrets = watchRetrieved(exchange, route);
  const {
    body,
    isModified,
    observation,
    isLeak = false,
  } = await observeBody(exchange, received, reader, secrets);
  return { body, isModified, isLeak, facts: observation.then(() => NOTHING_RETRIEVED) };
}

/** Reads the response as one body. */
function observeBody(
  { request, deps }: Exchange,
  { response, abort }: Received,
  reader: ResponseReader,
  secrets: SecretWatch | null,
): Promise<ObservedResponse> {
  const { idleMs, observeBytes: heldBytes } = deps.config.limits;
  const options = { clientSignal: request.signal, abort, idleMs, now: deps.now };
  return observe(response, reader, { ...options, heldBytes, secrets, isInjectedUsage: null });
}

async function observeUsage(
  exchange: Exchange,
  forwardable: Forwardable,
  { retrieval, id }: { readonly retrieval: UsageRetrieval; readonly id: string },
  received: Received,
): Promise<RetrievedResponse> {
  const { response, abort } = received;
  const { request, deps } = exchange;
  const { idleMs, observeBytes } = deps.config.limits;
  const secrets = watchRetrieved(exchange, forwardable.route);
  const collected = collectUsage(exchange, forwardable, id);
  if (retrieval.readLine === null) {
    const reader = retrieval.createReader(NO_CONTENT);
    const {
      body,
      isModified,
      observation,
      isLeak = false,
    } = await observeBody(exchange, received, reader, secrets);
    const facts = observation.then(({ report }) => {
      collected.add(null, report);
      return collected.facts();
    });
    return { body, isModified, isLeak, facts };
  }
  if (response.body === null)
    return { body: null, isModified: false, isLeak: false, facts: Promise.resolve(collected.facts()) };
  const { readLine } = retrieval;
  let count = 0;
  const lines = readLines((line) => {
    const result = readLine(line);
    if (!result) return;
    count += 1;
    const reader = retrieval.createReader(NO_CONTENT);
    reader.body(result.response);
    // Ids that begin alike must not become one when they are cut: one usage would then be counted for all of them.
    const name = asName(result.customId);
    const isWhole = name !== null && name === result.customId && !name.startsWith("#");
    collected.add(isWhole ? name : `#${count}`, reader.report());
  }, observeBytes.events);
  const isModified = contentEncoding(response.headers) === "decoded";
  const length = isModified ? null : declaredLength(response.headers);
  const decoder = new TextDecoder();
  const examine = (bytes: Uint8Array): void => {
    secrets?.push(decoder.decode(bytes, { stream: true }));
    lines.push(bytes);
  };
  const options = { clientSignal: request.signal, abort, idleMs, now: deps.now, secrets };
  const { body, end } = observeTee(response.body, length, examine, options);
  const facts = end.then(() => {
    lines.end();
    return collected.facts();
  });
  return { body, isModified, isLeak: false, facts };
}

/** Reports a secret in the results of earlier calls, and ends the response. */
function watchRetrieved(exchange: Exchange, route: Forwardable["route"]): SecretWatch | null {
  const { secrets } = exchange.deps;
  return secrets && watchForSecrets(secrets, (secret) => reportLeak(exchange, { route }, secret, "stream"));
}

/** Records the usage of each result, and adds it up. */
function collectUsage(
  { recorder, deps, id: retrievalId }: Exchange,
  { route, caller }: Forwardable,
  id: string,
) {
  const usageOf = `${route.provider.name}/${id}`;
  let facts: RetrievedFacts = { ...NOTHING_RETRIEVED, usageOf };
  const add = (customId: string | null, report: ResponseReport): void => {
    const { usage } = report;
    const state = usageState(report);
    if (usage === null || state === "unknown") return;
    const at = deps.now();
    const event = retrievedUsageEvent(
      {
        id: uuidV7(at, deps.randomUuid()),
        retrievalId,
        initiatorId: caller.initiator_id,
        provider: route.provider.name,
        usageOf: customId === null ? usageOf : `${usageOf}/${customId}`,
        createdId: id,
      },
      { ...report, usage },
      state,
      { redact: deps.redact, at },
    );
    recorder.record(event);
    facts = {
      usageOf,
      resultCount: facts.resultCount + 1,
      input_tokens: sumOf(facts.input_tokens, usage.input_tokens),
      output_tokens: sumOf(facts.output_tokens, usage.output_tokens),
      cache_read_input_tokens: sumOf(facts.cache_read_input_tokens, usage.cache_read_input_tokens),
      cache_write_input_tokens: sumOf(facts.cache_write_input_tokens, usage.cache_write_input_tokens),
    };
    if (facts.resultCount % GROUP === 0) void recorder.flush();
  };
  return { add, facts: () => facts };
}
