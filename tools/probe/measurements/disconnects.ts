/** The time until the provider's side notices that the client has disconnected: by protocol, state, manner and route. */
import type { Manner, Protocol } from "../client/http.ts";
import type { Context } from "../context.ts";
import { chatBody, type Echo, type OpenOptions, type Params } from "../echo-client.ts";
import type { Disconnected } from "../echo/protocol.ts";
import { define, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { assessDisconnect, assumedMoment, type DisconnectResult, type State } from "./disconnect-verdict.ts";

type Case = {
  readonly name: string;
  readonly state: State;
  readonly protocol: Protocol;
  readonly options: OpenOptions;
  readonly isDirect?: true;
};

const MANNERS: Readonly<Record<Protocol, readonly Manner[]>> = {
  "HTTP/1.1": ["reset", "close"],
  "HTTP/2": ["cancel", "reset", "close"],
};

const STATES: Readonly<Record<State, string>> = {
  "before headers": "before the headers",
  pause: "in a silent stream",
  events: "in mid-stream",
};

const TEED: OpenOptions = { route: "chat", body: chatBody(true) };
const PROTOCOLS: readonly Protocol[] = ["HTTP/1.1", "HTTP/2"];

const CASES: readonly Case[] = [
  ...PROTOCOLS.flatMap((protocol) =>
    (Object.keys(STATES) as State[]).map((state): Case => ({ name: "", state, protocol, options: TEED })),
  ),
  {
    name: ", coalesced",
    state: "pause",
    protocol: "HTTP/1.1",
    options: { route: "chat", body: chatBody(false) },
  },
  { name: ", passthrough", state: "pause", protocol: "HTTP/1.1", options: { route: "control" } },
  ...PROTOCOLS.map((protocol): Case => ({
    name: ", without the gateway",
    state: "pause",
    protocol,
    options: TEED,
    isDirect: true,
  })),
];

/** The client disconnects this long after the first bytes, or after a request without a response. */
const BEFORE_DISCONNECT_MS = 1000;
/** After the silence: events this far apart. */
const TAIL = { events: 10, gap_ms: 500 };
const MID_STREAM = { events: 80, gap_ms: 250 };
const MARGIN_MS = 2000;

function scheduleOf(state: State, silenceMs: number): Params {
  if (state === "events") return MID_STREAM;
  return state === "pause" ? { ...TAIL, pause_ms: silenceMs } : { ...TAIL, lead_ms: silenceMs };
}

const lengthOf = (state: State, silenceMs: number): number =>
  state === "events" ? MID_STREAM.events * MID_STREAM.gap_ms : silenceMs + TAIL.events * TAIL.gap_ms;

function unavailable({ protocol, isDirect }: Case, { echo, direct, bindings }: Context): string | null {
  if (!bindings.journal) return "the echo has no Durable Object to note it";
  if (isDirect && direct === null) return "--echo-url was not given";
  return protocol === "HTTP/2" && !(isDirect ? direct : echo)?.isSecure ? "HTTP/2 needs TLS" : null;
}

async function measure(one: Case, context: Context, { disconnectMs }: Plan): Promise<DisconnectResult> {
  const { offset, sleep } = context;
  const { state, protocol } = one;
  const echo = (one.isDirect ? context.direct : context.echo) as Echo;
  const runs = MANNERS[protocol].map((manner) => ({
    manner,
    run: `${protocol} ${state}${one.name} ${manner}`.replaceAll(/\W+/g, "-"),
  }));
  const left = await Promise.all(
    runs.map(async ({ manner, run }) => {
      const params = { ...scheduleOf(state, disconnectMs), run };
      const request = await echo.open("stream", { ...one.options, params, protocol });
      if (state !== "before headers") await request.firstBytes;
      await sleep(BEFORE_DISCONNECT_MS);
      return request.disconnect(manner);
    }),
  );
  await sleep(lengthOf(state, disconnectMs) + MARGIN_MS);
  const names = runs.map(({ run }) => run);
  const notes = await echo.notes(names, ["disconnected", "ended"]);
  const noticed = runs.map(({ manner }, at) => ({
    manner,
    leftAt: left[at] ?? Number.NaN,
    note: (notes[at]?.["disconnected"] as Disconnected | undefined) ?? null,
  }));
  return { state, noticed, offset };
}

export const disconnects = (plan: Plan): readonly Measurement[] =>
  CASES.map((one) => {
    const { protocol, state, name } = one;
    const assumed = MANNERS[protocol].map((manner) => `${manner}: ${assumedMoment(manner, state)}`);
    return define<DisconnectResult>({
      question: `${protocol}${name}: when is a disconnect ${STATES[state]} noticed?`,
      assumed: `${assumed.join("; ")} (docs/limits.md)`,
      phase: "slow",
      // wrangler dev has a proxy of its own in front of each Worker, which notices less than plain workerd.
      isNetworkOnly: true,
      requests: MANNERS[protocol].length + 1,
      unavailable: (context) => unavailable(one, context),
      measure: (context) => measure(one, context, plan),
      assess: assessDisconnect,
    });
  });
