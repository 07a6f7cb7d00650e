/**
 * Target `streams`: the answers of target `answers` through the production bundle in plain workerd, over sockets, so many
 * at a time. Checked of each: the client's bytes are the provider's, less exactly the usage event that the client did not
 * ask for; the usage on record is the plain reading's; one start, one end.
 */
import { isDeepStrictEqual } from "node:util";
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { Usage } from "../../src/gateway/provider/usage.ts";
import { body, finish, head, type Framing, type Step } from "../../test/support/response-steps.ts";
import type { UpstreamRequest } from "../../test/support/fake-upstream.ts";
import { rawRequest } from "../../test/support/raw-client.ts";
import { latin1 } from "../../test/support/wire.ts";
import { byteEvents, isWithoutUsage } from "../answers/byte-events.ts";
import {
  answerBytes,
  inPieces,
  isWhole,
  randomAnswer,
  showAnswer,
  smallerAnswers,
  type AnswerCase,
} from "../answers/case.ts";
import { plainlyTold } from "../answers/oracle.ts";
import type { House } from "../house.ts";
import { chance, pick, type Random } from "../random.ts";
import { GOOD_KEYS } from "../requests/cast.ts";
import { shorter } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";

/** Answers to a case. */
export const FLEET = 50;
const AT_ONCE = 10;
/** More pieces cost more than they show: each is a chunk of its own on the wire. */
const MAX_PIECES = 100;

type Stream = AnswerCase & {
  readonly framing: Framing;
  /** The client asked for usage itself: nothing is to be taken out. */
  readonly asks: boolean;
};

export const streams = (house: House): Target<readonly Stream[]> => ({
  name: "streams",
  generate: (random) => Array.from({ length: FLEET }, () => randomStream(random)),
  check: (fleet) => check(house, fleet),
  smaller: function* (fleet) {
    yield* shorter(fleet);
    const [only] = fleet;
    if (fleet.length !== 1 || !only) return;
    for (const smaller of smallerAnswers(only)) yield [{ ...only, ...smaller }];
  },
  show: (fleet) =>
    fleet.map((one) => `${one.framing}${one.asks ? ", usage asked for" : ""}: ${showAnswer(one)}`).join("\n"),
});

function randomStream(random: Random): Stream {
  const one = randomAnswer(random);
  return {
    ...one,
    ways: one.ways.slice(0, 1),
    framing: pick<Framing>(random, ["chunked", "chunked", "content-length", "until-close"]),
    asks: chance(random, 0.3),
  };
}

const TARGETS = {
  chat: "/openai/v1/chat/completions",
  responses: "/openai/v1/responses",
  messages: "/anthropic/v1/messages",
} as const;

/** By its model an answer is found again: in the provider's request and in the records. */
const modelOf = (at: number): string => `model-${at}`;

const isEnd = ({ record_type: type }: InterceptorEvent): boolean => type === "interception_end";

async function check(house: House, fleet: readonly Stream[]): Promise<Verdict> {
  house.clear((request) => steps(fleet, request));
  const sort = sorts(fleet);
  const queue = [...fleet.entries()];
  const wrong: string[] = [];
  const sender = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const found = await ask(house, next[1], next[0]);
      if (found !== null) wrong.push(found);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
    const enough = (all: readonly InterceptorEvent[]): boolean => all.filter(isEnd).length >= fleet.length;
    await house.interceptor.waitForEvents(enough);
    await house.interceptor.flush();
    return { wrong: wrong[0] ?? wrongWithRecords(house, fleet), sort };
  } catch (error) {
    await house.restart();
    return { wrong: `workerd: ${error instanceof Error ? error.message : String(error)}`, sort };
  }
}

function sorts(fleet: readonly Stream[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of fleet) {
    const { api, kind } = one.fixture;
    const name = `${api} ${kind}, ${isWhole(one) ? "whole" : "broken"}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function steps(fleet: readonly Stream[], request: UpstreamRequest): readonly Step[] {
  const { model } = JSON.parse(request.text()) as { readonly model: string };
  const one = fleet[Number(model.slice("model-".length))];
  if (!one) throw new Error(`nobody asked for ${model}`);
  const bytes = answerBytes(one);
  const { framing } = one;
  const type = one.fixture.kind === "events" ? "text/event-stream" : "application/json";
  const length = framing === "content-length" ? [["Content-Length", String(bytes.length)] as const] : [];
  const pieces = inPieces(bytes, one.ways[0] ?? []);
  const some = pieces.length > MAX_PIECES ? [bytes] : pieces;
  return [head({ headers: [["Content-Type", type], ...length], framing }), ...some.map(body), finish()];
}

async function ask({ interceptor }: House, one: Stream, at: number): Promise<string | null> {
  const { api, kind } = one.fixture;
  const stream = kind === "events";
  const options = one.asks ? { stream_options: { include_usage: true } } : {};
  const answer = await rawRequest(interceptor.port, {
    target: TARGETS[api],
    headers: [["Authorization", `Bearer ${GOOD_KEYS[0]}`]],
    body: JSON.stringify({ model: modelOf(at), stream, messages: [], ...options }),
  });
  const bytes = answerBytes(one);
  const takesOut = api === "chat" && stream && !one.asks;
  const right = takesOut
    ? isWithoutUsage(answer.body, bytes, byteEvents(bytes))
    : Buffer.from(answer.body).equals(bytes);
  const got = `${answer.status}, ${JSON.stringify(latin1(answer.body).slice(0, 1500))}`;
  return answer.status === 200 && right ? null : `the client of ${modelOf(at)} got ${got}`;
}

function wrongWithRecords({ interceptor }: House, fleet: readonly Stream[]): string | null {
  const events = interceptor.events();
  const stray = interceptor
    .lines()
    .find(({ message }) => !message.startsWith('{"message":"interception log",'));
  if (stray) return `printed as ${stray.level}: ${stray.message}`;
  for (const [at, one] of fleet.entries()) {
    const ends = events.filter(
      (event) => event.record_type === "interception_end" && event.model === modelOf(at),
    );
    const [end] = ends;
    if (ends.length !== 1 || end?.record_type !== "interception_end")
      return `${modelOf(at)} has ${ends.length} ends`;
    const of = (type: InterceptorEvent["record_type"]): InterceptorEvent[] =>
      events.filter((event) => event.record_type === type && event.interception_id === end.interception_id);
    if (of("interception_start").length !== 1)
      return `${modelOf(at)} has ${of("interception_start").length} starts`;
    const found = of("token_usage").map((event) => figures(event));
    const { usage } = plainlyTold(one.fixture.api, one.fixture.kind, answerBytes(one));
    const { flagged = false, ...told } = usage ?? {};
    // As a log line has it: there -0 is 0.
    const expected = (tellsFigures(told) ? [JSON.parse(JSON.stringify(told))] : []) as unknown[];
    if (!isDeepStrictEqual(found, expected) || end.usage_invalid !== flagged)
      return `${modelOf(at)}: expected ${JSON.stringify([expected, flagged])}, on record ${JSON.stringify([found, end.usage_invalid])}`;
  }
  return null;
}

/** What says of every figure that it is not known, is not recorded as usage. */
function tellsFigures({ extras = {}, ...tokens }: Partial<Omit<Usage, "flagged">>): boolean {
  return [...Object.values(tokens), ...Object.values(extras)].some((figure) => figure !== null);
}

function figures(event: InterceptorEvent): object | null {
  if (event.record_type !== "token_usage") return null;
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, metadata } = event;
  return { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, extras: metadata };
}
