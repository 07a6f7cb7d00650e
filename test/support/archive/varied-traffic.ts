/**
 * The generated traffic with everything that makes sums differ: calls without a start or an end, usage that is read later
 * and more than once, rejected own keys, one id in two sources, large counts, and texts that no database stores unchanged.
 */
import { traffic } from "../../../bench/ledger/traffic.ts";
import type {
  BatchFile,
  InterceptionEnd,
  InterceptorEvent,
  RetrievedUsage,
  UpstreamAttempt,
} from "../../../src/events/event.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";

/** The sums must stay exact as a number of JavaScript: the rest is below this. */
const OF_ALL_OTHERS = 10 ** 12;
const LARGE = [2 ** 31, 3_000_000_001, 2 ** 32 + 1, 40_000_000_007];
const LARGEST = Number.MAX_SAFE_INTEGER - OF_ALL_OTHERS;

const MODELS: readonly (string | null)[] = [null, "modèle “ü”", "nul\0l", "lone \ud800 surrogate", "a/b'c"];

type Call = { readonly at: number; readonly events: readonly InterceptorEvent[] };

/** The events of each interception, and of those who read its usage later. */
export function variedTraffic(count: number): readonly InterceptorEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const events = traffic(at, 1, count).map((event) => varied(event, at));
    const end = events.find(isEnd);
    return [...withoutParts({ at, events }), ...attempts(end, at), ...readLater(end, at)];
  }).flat();
}

/** Some calls were sent twice: to their provider, and then to another one under its own name of the model. */
function attempts(end: InterceptionEnd | undefined, at: number): readonly UpstreamAttempt[] {
  if (!end || at % 9 !== 4) return [];
  const { interception_id, ended_at: created_at } = end;
  const attempt = {
    record_type: "upstream_attempt",
    interception_id,
    key_hint: "sk-p...abcd",
    waited_ms: at,
    duration_ms: LARGE[at % LARGE.length] ?? 0,
    started_at: created_at,
    created_at,
    ai_gateway_log_id: null,
    ai_gateway_cache: null,
  } as const;
  const model = MODELS[at % MODELS.length] ?? null;
  return [
    {
      ...attempt,
      position: 0,
      provider: "openai",
      sent_model: null,
      reason: "server_error",
      status: 524,
      cost_micros: null,
    },
    {
      ...attempt,
      position: 1,
      provider: "azure",
      sent_model: model,
      reason: "used",
      status: 200,
      cost_micros: null,
    },
  ];
}

const isEnd = (event: InterceptorEvent): event is InterceptionEnd => event.record_type === "interception_end";

/** Some calls have no end, some no start; usage events are in the end's own counts too. */
function withoutParts({ at, events }: Call): readonly InterceptorEvent[] {
  if (at % 29 === 3) return events.filter(({ record_type: type }) => type !== "interception_end");
  if (at % 29 === 5) return events.filter(({ record_type: type }) => type !== "interception_start");
  return events;
}

function varied(event: InterceptorEvent, at: number): InterceptorEvent {
  let changed = event;
  if (at % 6 === 1 && "model" in changed)
    changed = { ...changed, model: MODELS[Math.floor(at / 6) % MODELS.length] ?? null } as InterceptorEvent;
  if (at % 10 === 4 && "initiator_source" in changed)
    changed = { ...changed, initiator_source: "another" } as InterceptorEvent;
  return isEnd(changed) ? variedEnd(changed, at) : changed;
}

function variedEnd(end: InterceptionEnd, at: number): InterceptionEnd {
  if (at % 23 === 2) return { ...end, own_key_rejected: true };
  if (at % 8 === 6) return { ...end, ...NO_TOKENS, outcome: at % 16 === 6 ? "queued" : "cancelled" };
  if (at === 100) return { ...end, usage: "final", input_tokens: LARGEST };
  const large = LARGE[at % 40];
  return large === undefined
    ? end
    : { ...end, usage: "final", output_tokens: large, cache_write_input_tokens: large };
}

const NO_TOKENS = {
  usage: "unknown",
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
} as const;

const READ_TOKENS = {
  usage: "final",
  input_tokens: 5_000_000_011,
  output_tokens: 77,
  cache_read_input_tokens: null,
  cache_write_input_tokens: 3,
} as const;

/** By two readers each; of a response, of a batch whose results name it, or of one whose file does. */
function readLater(end: InterceptionEnd | undefined, at: number): readonly InterceptorEvent[] {
  if (end === undefined || end.msg_id === null || at % 8 !== 6 || at % 5 === 0) return [];
  const readAt = Date.parse(end.ended_at) + 3 * 86_400_000;
  const id = (n: number): string =>
    uuidV7(readAt + n, `0000000${n % 10}-0000-4000-8000-${at.toString(16).padStart(12, "0")}`);
  const common = {
    initiator_id: end.initiator_id,
    provider: end.provider,
    created_at: new Date(readAt).toISOString(),
  };
  const read = (n: number, msg_id: string, customId: string): RetrievedUsage => ({
    record_type: "retrieved_usage",
    ...common,
    interception_id: id(n),
    retrieval_id: id(9),
    usage_of: `${end.provider}/${msg_id}${customId}`,
    msg_id,
    response_model: end.model,
    ...READ_TOKENS,
    cost_micros: n === 1 ? null : 70 + at,
    cost_source: n === 1 ? "unpriced" : "partial",
    price_version: n === 1 ? null : "2026-09-23.01234567",
    metadata: {},
    raw_usage: null,
    price_terms: { batch: true },
  });
  if (at % 3 === 0) return [read(0, end.msg_id, ""), read(1, end.msg_id, "")];
  if (at % 3 === 1) return [0, 1, 2, 3].map((n) => read(n, end.msg_id ?? "", `/task-${n % 2}`));
  const file: BatchFile = {
    record_type: "batch_file",
    ...common,
    interception_id: id(4),
    retrieval_id: id(9),
    msg_id: end.msg_id,
    file_id: `file-${at}`,
  };
  return [
    file,
    ...[0, 1, 2].map((n) => read(n, file.file_id, `/task-${n}`)),
    { ...file, interception_id: id(5) },
  ];
}
