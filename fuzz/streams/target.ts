/**
 * Target `streams`: the cases of target `responses`, sent over sockets through the production bundle in plain workerd.
 * Checks for each:
 *
 * - The client receives the provider's bytes, without exactly the usage event that the client did not request.
 * - The recorded usage equals the oracle's.
 * - There is one start and one end.
 */
import { isDeepStrictEqual } from "node:util";
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { Usage } from "../../src/gateway/provider/usage.ts";
import type { UpstreamRequest } from "../../test/support/fake-upstream.ts";
import { rawRequest } from "../../test/support/raw-client.ts";
import { body, finish, head, type Framing, type Step } from "../../test/support/response-steps.ts";
import { latin1 } from "../../test/support/wire.ts";
import type { Gateway } from "../gateway.ts";
import { chance, pick, type Random } from "../random.ts";
import { VALID_KEYS } from "../requests/canaries.ts";
import { byteEvents, isWithoutUsage } from "../responses/byte-events.ts";
import {
  inPieces,
  isIntact,
  randomResponse,
  responseBytes,
  showResponse,
  smallerResponses,
  type ResponseCase,
} from "../responses/case.ts";
import { oracleReport } from "../responses/oracle.ts";
import { shorter } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";

export const STREAMS_PER_CASE = 50;
const CONCURRENCY = 10;
/** More pieces add run time and no coverage: each is a separate chunk on the wire. */
const MAX_PIECES = 100;

type Stream = ResponseCase & {
  readonly framing: Framing;
  /** Whether the client requests usage, so that the gateway must remove nothing. */
  readonly requestsUsage: boolean;
};

export const streams = (gateway: Gateway): Target<readonly Stream[]> => ({
  name: "streams",
  generate: (random) => Array.from({ length: STREAMS_PER_CASE }, () => randomStream(random)),
  check: (all) => check(gateway, all),
  smaller: function* (all) {
    yield* shorter(all);
    const [only] = all;
    if (all.length !== 1 || !only) return;
    for (const smaller of smallerResponses(only)) yield [{ ...only, ...smaller }];
  },
  show: (all) =>
    all
      .map((one) => `${one.framing}${one.requestsUsage ? ", usage requested" : ""}: ${showResponse(one)}`)
      .join("\n"),
});

function randomStream(random: Random): Stream {
  const one = randomResponse(random);
  return {
    ...one,
    splits: one.splits.slice(0, 1),
    framing: pick<Framing>(random, ["chunked", "chunked", "content-length", "until-close"]),
    requestsUsage: chance(random, 0.3),
  };
}

const TARGETS = {
  chat: "/openai/v1/chat/completions",
  responses: "/openai/v1/responses",
  messages: "/anthropic/v1/messages",
} as const;

/** The model name identifies a stream in the provider's request and in the events. */
const modelOf = (at: number): string => `model-${at}`;

const isEnd = ({ record_type: type }: InterceptorEvent): boolean => type === "interception_end";

async function check(gateway: Gateway, all: readonly Stream[]): Promise<Verdict> {
  gateway.clear((request) => steps(all, request));
  const category = categories(all);
  const queue = [...all.entries()];
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const failure = await send(gateway, next[1], next[0]);
      if (failure !== null) failures.push(failure);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    const enough = (events: readonly InterceptorEvent[]): boolean =>
      events.filter(isEnd).length >= all.length;
    await gateway.interceptor.waitForEvents(enough);
    await gateway.interceptor.flush();
    return { failure: failures[0] ?? checkRecords(gateway, all), category };
  } catch (error) {
    await gateway.restart();
    return { failure: `workerd: ${error instanceof Error ? error.message : String(error)}`, category };
  }
}

function categories(all: readonly Stream[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) {
    const { api, kind } = one.fixture;
    const name = `${api} ${kind}, ${isIntact(one) ? "intact" : "damaged"}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function steps(all: readonly Stream[], request: UpstreamRequest): readonly Step[] {
  const { model } = JSON.parse(request.text()) as { readonly model: string };
  const one = all[Number(model.slice("model-".length))];
  if (!one) throw new Error(`no stream has the model ${model}`);
  const bytes = responseBytes(one);
  const { framing } = one;
  const type = one.fixture.kind === "events" ? "text/event-stream" : "application/json";
  const length = framing === "content-length" ? [["Content-Length", String(bytes.length)] as const] : [];
  const pieces = inPieces(bytes, one.splits[0] ?? []);
  const sent = pieces.length > MAX_PIECES ? [bytes] : pieces;
  return [head({ headers: [["Content-Type", type], ...length], framing }), ...sent.map(body), finish()];
}

/** Sends one request and compares the response. Returns the failure, or null. */
async function send({ interceptor }: Gateway, one: Stream, at: number): Promise<string | null> {
  const { api, kind } = one.fixture;
  const stream = kind === "events";
  const options = one.requestsUsage ? { stream_options: { include_usage: true } } : {};
  const response = await rawRequest(interceptor.port, {
    target: TARGETS[api],
    headers: [["Authorization", `Bearer ${VALID_KEYS[0]}`]],
    body: JSON.stringify({ model: modelOf(at), stream, messages: [], ...options }),
  });
  const bytes = responseBytes(one);
  const removesUsage = api === "chat" && stream && !one.requestsUsage;
  const isRight = removesUsage
    ? isWithoutUsage(response.body, bytes, byteEvents(bytes))
    : Buffer.from(response.body).equals(bytes);
  const received = `${response.status}, ${JSON.stringify(latin1(response.body).slice(0, 1500))}`;
  return response.status === 200 && isRight ? null : `the client of ${modelOf(at)} received ${received}`;
}

function checkRecords({ interceptor }: Gateway, all: readonly Stream[]): string | null {
  const stray = interceptor
    .lines()
    .find(({ message }) => !message.startsWith('{"message":"interception log",'));
  if (stray) return `printed as ${stray.level}: ${stray.message}`;
  const events = interceptor.events();
  for (const [at, one] of all.entries()) {
    const failure = checkEvents(events, one, modelOf(at));
    if (failure !== null) return failure;
  }
  return null;
}

function checkEvents(events: readonly InterceptorEvent[], one: Stream, model: string): string | null {
  const ends = events.filter((event) => event.record_type === "interception_end" && event.model === model);
  const [end] = ends;
  if (ends.length !== 1 || end?.record_type !== "interception_end") return `${model} has ${ends.length} ends`;
  const ofType = (type: InterceptorEvent["record_type"]): InterceptorEvent[] =>
    events.filter((event) => event.record_type === type && event.interception_id === end.interception_id);
  const starts = ofType("interception_start").length;
  if (starts !== 1) return `${model} has ${starts} starts`;
  const recorded = ofType("token_usage").map((event) => tokenCounts(event));
  const { usage } = oracleReport(one.fixture.api, one.fixture.kind, responseBytes(one));
  // The target `responses` checks the usage object's text, which a log line may truncate.
  const { invalid = false, addsUp: _addsUp, raw: _raw, ...counts } = usage ?? {};
  // The JSON round trip turns -0 into 0, as the log line does.
  const expected = (hasCounts(counts) ? [JSON.parse(JSON.stringify(counts))] : []) as unknown[];
  if (isDeepStrictEqual(recorded, expected) && end.usage_invalid === invalid) return null;
  return `${model}: expected ${JSON.stringify([expected, invalid])}, recorded ${JSON.stringify([recorded, end.usage_invalid])}`;
}

/** Usage without a single known count is not recorded. */
function hasCounts({ extras = {}, ...tokens }: Partial<Omit<Usage, "invalid" | "raw">>): boolean {
  return [...Object.values(tokens), ...Object.values(extras)].some((count) => count !== null);
}

function tokenCounts(event: InterceptorEvent): object | null {
  if (event.record_type !== "token_usage") return null;
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, metadata } = event;
  return { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, extras: metadata };
}
