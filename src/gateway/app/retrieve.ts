/**
 * Results of earlier model calls that a management request reads: a background response, or the results of a batch. Their
 * usage is recorded under the id of that response or batch, so that the ledger counts it once and for its creator, for each
 * reader and each reading.
 */
import { NOTHING_RETRIEVED, retrievedUsageEvent, type RetrievedFacts } from "../../events/compose.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { readLines } from "../observation/lines.ts";
import { observe } from "../observation/observe.ts";
import { usageState } from "../observation/outcome.ts";
import { observeTee } from "../observation/tee.ts";
import type { Retrieval } from "../provider/provider.ts";
import type { ContentOptions, ResponseReport } from "../provider/response-reader.ts";
import { asName, sumOf } from "../provider/usage.ts";
import type { Forwardable } from "./call-upstream.ts";
import type { Exchange } from "./exchange.ts";

const NO_CONTENT: ContentOptions = { toolInputs: false, thoughts: false, errorMessages: false };
/** Events that are passed on at once. A batch has up to 100,000 results. */
const GROUP = 100;

export type RetrievedId = { readonly retrieval: Retrieval; readonly id: string };

/** The retrieval that the request makes; null if it makes none. */
export function findRetrieval({ request }: Exchange, { route }: Forwardable): RetrievedId | null {
  if (request.method !== "GET") return null;
  for (const retrieval of route.provider.dialect.retrievals) {
    const id = retrieval.path.exec(route.upstreamPath)?.[1];
    if (id !== undefined) return { retrieval, id };
  }
  return null;
}

export type RetrievedResponse = {
  readonly body: BodyInit | null;
  readonly isModified: boolean;
  /** Never rejects. */
  readonly facts: Promise<RetrievedFacts>;
};

/** Passes the response on and records the usage in it. `response` must be a success. */
export async function observeRetrieval(
  exchange: Exchange,
  forwardable: Forwardable,
  { retrieval, id }: RetrievedId,
  { response, abort }: { readonly response: Response; readonly abort: AbortController },
): Promise<RetrievedResponse> {
  const { request, deps } = exchange;
  const { idleMs, observeBytes } = deps.config.limits;
  const { now } = deps;
  const options = { clientSignal: request.signal, abort, idleMs, now };
  const collected = collectUsage(exchange, forwardable, id);
  if (retrieval.readLine === null) {
    const reader = retrieval.createReader(NO_CONTENT);
    const observeOptions = { ...options, heldBytes: observeBytes, isInjectedUsage: null };
    const { body, isModified, observation } = await observe(response, reader, observeOptions);
    const facts = observation.then(({ report }) => {
      collected.add(null, report);
      return collected.facts();
    });
    return { body, isModified, facts };
  }
  if (response.body === null)
    return { body: null, isModified: false, facts: Promise.resolve(collected.facts()) };
  const { readLine } = retrieval;
  const lines = readLines((line) => {
    const result = readLine(line);
    if (!result) return;
    const reader = retrieval.createReader(NO_CONTENT);
    reader.body(result.response);
    collected.add(asName(result.customId), reader.report());
  }, observeBytes.events);
  const isModified = contentEncoding(response.headers) === "decoded";
  const length = isModified ? null : declaredLength(response.headers);
  const { body, end } = observeTee(response.body, length, lines.push, options);
  const facts = end.then(() => {
    lines.end();
    return collected.facts();
  });
  return { body, isModified, facts };
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
