/** `POST /spend/corrections`: records other costs of recorded calls, as `npm run reprice` has computed them. */
import {
  correctionEvent,
  MAX_CORRECTIONS,
  MAX_POSITIONS,
  MAX_CAUSE,
  toCorrectionFacts,
  type CorrectionFacts,
} from "../../events/cost-correction.ts";
import type { CorrectedRecord } from "../../events/vocabulary.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";
import { COST_SOURCE_WORDS, type CostFacts } from "../../shared/prices/pricing.ts";
import { Refusal } from "../../shared/refusal.ts";
import { isUuid } from "../../shared/uuid.ts";
import { respond } from "./api-response.ts";
import type { Exchange } from "./exchange.ts";
import { readJson } from "./read-json.ts";

const MAX_BODY = 32 * 1024;

/** `by`: the caller, as events name it. The corrections go to every sink, like all events. */
export async function serveCorrections(
  exchange: Exchange,
  { by }: { readonly by: string },
): Promise<Response | Refusal> {
  const { deps, recorder } = exchange;
  const body = await readJson(exchange, MAX_BODY);
  if (body instanceof Refusal) return body;
  const input = readInput(body.value);
  if (input instanceof Refusal) return input;
  const now = deps.now();
  for (const facts of input.corrections)
    recorder.record(correctionEvent(facts, { cause: input.cause, by }, now));
  if (!(await recorder.flush())) return new Refusal("recording_unavailable");
  return respond(exchange, { recorded: input.corrections.length });
}

type Input = { readonly cause: string; readonly corrections: readonly CorrectionFacts[] };

const invalid = (param: string): Refusal => new Refusal("field_invalid", { param });

/** Refuses `field_invalid` (400). */
function readInput(value: unknown): Input | Refusal {
  const fields = asObject(value);
  if (!fields || !hasOnly(fields, ["cause", "corrections"])) return invalid("body");
  const { cause, corrections } = fields;
  if (!isText(cause, MAX_CAUSE)) return invalid("cause");
  if (!Array.isArray(corrections) || corrections.length === 0 || corrections.length > MAX_CORRECTIONS)
    return invalid("corrections");
  const read = corrections.map(readCorrection);
  const at = read.indexOf(null);
  return at < 0 ? { cause, corrections: read.filter((one) => one !== null) } : invalid(`corrections[${at}]`);
}

const hasOnly = (fields: JsonObject, names: readonly string[]): boolean =>
  Object.keys(fields).every((name) => names.includes(name));

/** null where a field is missing, unknown or of another type, or where a cost and its source contradict each other. */
function readCorrection(value: unknown): CorrectionFacts | null {
  const fields = asObject(value);
  if (!fields) return null;
  const { interception_id: id, position, corrects } = fields;
  const cost = readCost(fields["cost_micros"], fields["cost_source"], fields["price_version"]);
  const former = readCost(
    fields["former_cost_micros"],
    fields["former_cost_source"],
    fields["former_price_version"],
  );
  if (!cost || !former || !isInterceptionId(id) || !isCorrectedRecord(corrects)) return null;
  if (!isCount(position) || position >= MAX_POSITIONS) return null;
  const facts = toCorrectionFacts({ id, corrects, position }, cost, former);
  return hasOnly(fields, Object.keys(facts)) ? facts : null;
}

/** In lower case, as the ids of interceptions are: another spelling would be another event. */
const isInterceptionId = (value: unknown): value is string =>
  typeof value === "string" && isUuid(value) && value === value.toLowerCase();

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isText = (value: unknown, most: number): value is string =>
  typeof value === "string" && value.trim() !== "" && value.length <= most;

/** Without their meanings, which the gateway's bundle does not need. */
const CORRECTED_RECORDS: Readonly<Record<CorrectedRecord, true>> = {
  interception_end: true,
  retrieved_usage: true,
};

const isCorrectedRecord = (value: unknown): value is CorrectedRecord =>
  typeof value === "string" && Object.hasOwn(CORRECTED_RECORDS, value);

const MAX_VERSION = 64;

/** A cost is null exactly where it is unpriced. */
function readCost(micros: unknown, word: unknown, version: unknown): CostFacts | null {
  const source = COST_SOURCE_WORDS.find((one) => one === word);
  if (source === undefined || (micros === null) !== (source === "unpriced")) return null;
  if (micros !== null && !isCount(micros)) return null;
  if (version !== null && !isText(version, MAX_VERSION)) return null;
  return { micros, source, version };
}
