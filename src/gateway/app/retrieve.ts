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
import type { Forwardable } from "./call-upstream.ts";
import { costOfRetrieved } from "./call-cost.ts";
import type { Exchange } from "./exchange.ts";
import { chargeRetrieved } from "./spending.ts";

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
  { id: retrievalId, deps, recorder }: Exchange,
  { route, caller }: Forwardable,
  { readBatches }: BatchRetrieval,
): ResponseReader {
  const body = (value: unknown): void => {
    const at = deps.now();
    for (const { batchId, fileId } of readBatches(value)) {
      const facts = { id: uuidV7(at, deps.randomUuid()), retrievalId, batchId, fileId };
      recorder.record(batchFileEvent(caller, route.provider.name, facts, at));
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
  const charged = { dollars: 0, tokens: 0, model: null as string | null, isBatch: false, isPriced: true };
  const add = (customId: string | null, report: ResponseReport): void => {
    const { usage } = report;
    const state = usageState(report);
    if (usage === null || state === "unknown") return;
    const at = deps.now();
    const isBatch = customId !== null;
    const { cost, terms } = costOfRetrieved(deps.price, route.provider.name, report, { isBatch, at });
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
    charged.dollars += cost.micros ?? 0;
    charged.tokens += tokensOf(usage);
    charged.model = report.model;
    charged.isBatch ||= isBatch;
    charged.isPriced &&= cost.micros !== null;
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
  const chargeResults = (isWhole: boolean): void => {
    if (facts.resultCount === 0) return;
    const { dollars, tokens, model, isBatch, isPriced } = charged;
    // A batch's own call is the one that created it. A response's call was charged, and its estimate is replaced.
    const amounts = { dollars, tokens, requests: isBatch ? 0 : 1, concurrent: 0 };
    const used = { amounts, isEstimate: !isWhole || !isPriced, onlyReplaces: !isBatch };
    chargeRetrieved(exchange, forwardable, { id: usageOf, models: [model], used });
  };
  return {
    add,
    facts: (isWhole: boolean): RetrievedFacts => {
      chargeResults(isWhole);
      return facts;
    },
  };
}

const tokensOf = (usage: Usage): number =>
  sumOf(
    usage.input_tokens,
    usage.cache_read_input_tokens,
    usage.cache_write_input_tokens,
    usage.output_tokens,
  ) ?? 0;
