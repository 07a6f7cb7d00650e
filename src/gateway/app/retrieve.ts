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
import type { JsonObject } from "../../shared/json.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import type { SecretWatch } from "../../shared/secret-finder.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { readLines } from "../observation/lines.ts";
import { observe } from "../observation/observe.ts";
import { usageState } from "../observation/outcome.ts";
import { observeTee } from "../observation/tee.ts";
import type { BatchRetrieval, Retrieval, UsageRetrieval } from "../provider/provider.ts";
import {
  EMPTY_REPORT,
  type ContentOptions,
  type ResponseReader,
  type ResponseReport,
} from "../provider/response-reader.ts";
import { asName, sumOf, type Usage } from "../provider/usage.ts";
import type { Forwardable } from "./upstream-call.ts";
import { costOfRetrieved } from "./call-cost.ts";
import { chargeRetrieved, linkLater, type RetrievedUse } from "./charge-retrieved.ts";
import type { Exchange } from "./exchange.ts";

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

type Received = {
  readonly response: Response;
  readonly abort: AbortController;
  readonly secrets: SecretWatch | null;
};

/** Passes the response on and records what it has of earlier calls. `response` must be a success. */
export function observeRetrieval(
  exchange: Exchange,
  forwardable: Forwardable,
  { retrieval, id }: RetrievedId,
  received: Received,
): Promise<RetrievedResponse> | RetrievedResponse {
  if (retrieval.reads === "batches")
    return observeBody(
      exchange,
      received,
      batchReader(exchange, forwardable, retrieval),
      () => NOTHING_RETRIEVED,
    );
  const collected = collectUsage(exchange, forwardable, id);
  if (retrieval.readLine !== null)
    return observeLines(
      exchange,
      received,
      resultReader(retrieval, retrieval.readLine, collected.add),
      collected.facts,
    );
  return observeBody(exchange, received, retrieval.createReader(NO_CONTENT), (report) => {
    collected.add(null, report);
    return collected.facts(true);
  });
}

/** Records which file has the results of which batch. */
function batchReader(
  exchange: Exchange,
  forwardable: Forwardable,
  { readBatches }: BatchRetrieval,
): ResponseReader {
  const { id: retrievalId, deps, recorder } = exchange;
  const { route, caller } = forwardable;
  const body = (value: unknown): void => {
    const at = deps.now();
    for (const { batchId, fileId } of readBatches(value)) {
      const facts = { id: uuidV7(at, deps.randomUuid()), retrievalId, batchId, fileId };
      recorder.record(batchFileEvent(caller, route.provider.name, facts, at));
      linkLater(exchange, forwardable, { batchId, fileId });
    }
  };
  return { event: () => undefined, body, report: () => EMPTY_REPORT };
}

/** Reads the response as one body. */
async function observeBody(
  { connection, after, deps }: Exchange,
  received: Received,
  reader: ResponseReader,
  toFacts: (report: ResponseReport) => RetrievedFacts,
): Promise<RetrievedResponse> {
  const { idleMs, observeBytes: heldBytes } = deps.config.limits;
  const { response, ...options } = received;
  const { observation, ...observed } = await observe(response, reader, {
    ...options,
    connection,
    after,
    idleMs,
    now: deps.now,
    heldBytes,
    isInjectedUsage: null,
    hashes: false,
  });
  return { ...observed, facts: observation.then(({ report }) => toFacts(report)) };
}

/** Reads each line as a result. */
function resultReader(
  { createReader }: UsageRetrieval,
  readLine: NonNullable<UsageRetrieval["readLine"]>,
  add: (customId: string | null, report: ResponseReport) => void,
): (line: JsonObject) => void {
  let count = 0;
  return (line) => {
    const result = readLine(line);
    if (!result) return;
    count += 1;
    const reader = createReader(NO_CONTENT);
    reader.body(result.response);
    // Ids that begin alike must not become one when they are cut: one usage would then be counted for all of them.
    const name = asName(result.customId);
    const isWhole = name !== null && name === result.customId && !name.startsWith("#");
    add(isWhole ? name : `#${count}`, reader.report());
  };
}

/** Reads the response line by line. */
function observeLines(
  { connection, after, deps }: Exchange,
  { response, abort, secrets }: Received,
  onLine: (line: JsonObject) => void,
  facts: (isWhole: boolean) => RetrievedFacts,
): RetrievedResponse {
  const isModified = contentEncoding(response.headers) === "decoded";
  const passed = { isModified, isLeak: false };
  if (response.body === null) return { ...passed, body: null, facts: Promise.resolve(facts(true)) };
  const { idleMs, observeBytes } = deps.config.limits;
  const lines = readLines(onLine, observeBytes.events);
  const length = isModified ? null : declaredLength(response.headers);
  const decoder = new TextDecoder();
  const onBytes = (bytes: Uint8Array): void => {
    secrets?.push(decoder.decode(bytes, { stream: true }));
    lines.push(bytes);
  };
  const options = { connection, after, abort, idleMs, now: deps.now, secrets };
  const { body, end } = observeTee(response.body, length, onBytes, options);
  const ended = end.then(({ how }) => {
    lines.end();
    return facts(how === "end");
  });
  return { ...passed, body, facts: ended };
}

/** Records the usage of each result, adds it up, and charges it. */
function collectUsage(exchange: Exchange, forwardable: Forwardable, id: string) {
  const { recorder, deps, id: retrievalId } = exchange;
  const { route, caller } = forwardable;
  const usageOf = `${route.provider.name}/${id}`;
  let facts: RetrievedFacts = { ...NOTHING_RETRIEVED, usageOf };
  const uses = new Map<string | null, RetrievedUse>();
  let isBatch = false;
  let isPriced = true;
  const add = (customId: string | null, report: ResponseReport): void => {
    const { usage } = report;
    const state = usageState(report);
    if (usage === null || state === "unknown") return;
    const at = deps.now();
    const isResult = customId !== null;
    isBatch ||= isResult;
    const { cost, terms } = costOfRetrieved(deps.price, route.provider.name, report, {
      isBatch: isResult,
      at,
    });
    const event = retrievedUsageEvent(
      {
        id: uuidV7(at, deps.randomUuid()),
        retrievalId,
        initiatorId: caller.initiator_id,
        provider: route.provider.name,
        usageOf: customId === null ? usageOf : `${usageOf}/${customId}`,
        createdId: id,
      },
      { model: report.model, usage, cost, terms },
      state,
      { redact: deps.redact, at },
    );
    recorder.record(event);
    isPriced &&= cost.micros !== null;
    addUse(uses, { model: report.model, dollars: cost.micros ?? 0, tokens: tokensOf(usage) });
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
  return {
    add,
    facts: (isWhole: boolean): RetrievedFacts => {
      const isEstimate = !isWhole || !isPriced;
      if (facts.resultCount > 0)
        chargeRetrieved(exchange, forwardable, { id, isBatch, uses: [...uses.values()], isEstimate });
      return facts;
    },
  };
}

/** Models beyond these are charged as one that is not known. */
const MAX_MODELS = 32;

function addUse(uses: Map<string | null, RetrievedUse>, { model, dollars, tokens }: RetrievedUse): void {
  const key = uses.has(model) || uses.size < MAX_MODELS ? model : null;
  const before = uses.get(key) ?? { dollars: 0, tokens: 0 };
  uses.set(key, { model: key, dollars: before.dollars + dollars, tokens: before.tokens + tokens });
}

const tokensOf = (usage: Usage): number =>
  sumOf(
    usage.input_tokens,
    usage.cache_read_input_tokens,
    usage.cache_write_input_tokens,
    usage.output_tokens,
  ) ?? 0;
