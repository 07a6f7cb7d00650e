/** The fake provider's responses, as each request's plan defines them. */
import { crc32 } from "node:zlib";
import type { Step, Wire } from "../../test/support/response-steps.ts";
import { sseSteps } from "../../test/support/response-steps.ts";
import { toBytes } from "../../test/support/wire.ts";
import { closingEvents, contentEvent } from "../responses.ts";
import { BEATS_PER_SECOND, LINE_BYTES, type Plan, type Sent } from "./plan.ts";

export type MutableSent = { -readonly [K in keyof Sent]: Sent[K] };

/** Small enough to detect a reader that stops, and large enough to be cheap. */
const FLOOD_BLOCK = toBytes(contentEvent(" flood".repeat(2_000)));

const BIG_LINE = toBytes(contentEvent("x".repeat(LINE_BYTES)));

/** The streams share one timer: 5% of them send at a time, spread over a beat. */
const TURNS = 20;

type Beat = () => void;

/** Calls each of its streams once per beat, for any number of streams. */
export class Metronome {
  readonly #turns: Set<Beat>[] = Array.from({ length: TURNS }, () => new Set());
  #next = 0;
  #at = 0;

  start(): void {
    setInterval(
      () => {
        this.#at = (this.#at + 1) % TURNS;
        for (const beat of this.#turns[this.#at] ?? []) beat();
      },
      1_000 / BEATS_PER_SECOND / TURNS,
    );
  }

  /** Adds a stream. The returned function removes it. */
  join(beat: Beat): () => void {
    this.#next = (this.#next + 1) % TURNS;
    const turn = this.#turns[this.#next];
    turn?.add(beat);
    return () => void turn?.delete(beat);
  }
}

/** An event with its time of writing. */
function word(at: number): Uint8Array {
  return toBytes(contentEvent(` word${at % 10}`, { sent: String(process.hrtime.bigint()) }));
}

/** Writes and counts. `removed`: the gateway removes these bytes, so they are not part of the client's body. */
type Send = (wire: Wire, bytes: Uint8Array, removed?: boolean) => Promise<void>;

const countingSend =
  (state: MutableSent): Send =>
  async (wire, bytes, removed = false) => {
    if (!removed) {
      state.crc = crc32(bytes, state.crc);
      state.bytes += bytes.length;
    }
    await wire.body(bytes);
    state.read += bytes.length;
  };

export function responseFor(plan: Plan, state: MutableSent, metronome: Metronome): readonly Step[] {
  const { events, paced, ending } = plan;
  const send = countingSend(state);
  const ended: Step = () => void (state.over = true);
  const rest = [...endingSteps(plan, send, metronome)[ending], ended];
  if (events < 0) return rest;
  return sseSteps([paced ? beats(events, send, metronome) : burst(events, send), ...rest]);
}

/** Sends one event per beat, `count` times or until the client disconnects. */
const beats =
  (count: number, send: Send, metronome: Metronome): Step =>
  (wire) =>
    new Promise((resolve) => {
      let at = 0;
      const leave = metronome.join(() => {
        if (at === count) {
          leave();
          resolve();
          return;
        }
        at += 1;
        void send(wire, word(at));
      });
      void wire.gone.then(() => (leave(), resolve()));
    });

const burst =
  (count: number, send: Send): Step =>
  async (wire) => {
    for (let at = 0; at < count; at += 1) await send(wire, word(at));
  };

function endingSteps(
  { requestsUsage }: Plan,
  send: Send,
  metronome: Metronome,
): Readonly<Record<Plan["ending"], readonly Step[]>> {
  const close: Step = async (wire) => {
    const [finish = "", usage = "", done = ""] = closingEvents(true);
    await send(wire, toBytes(finish));
    await send(wire, toBytes(usage), !requestsUsage);
    await send(wire, toBytes(done));
    await wire.finish();
  };
  return {
    end: [close],
    reset: [(wire: Wire) => wire.reset()],
    hang: [(wire: Wire) => wire.gone],
    drip: [beats(Number.POSITIVE_INFINITY, send, metronome)],
    flood: [flood(send)],
    line: [(wire: Wire) => send(wire, BIG_LINE), close],
  };
}

const flood =
  (send: Send): Step =>
  async (wire) => {
    let gone = false;
    void wire.gone.then(() => (gone = true));
    while (!gone) {
      await send(wire, FLOOD_BLOCK);
      // A write to a closing connection settles at once, so a turn of the event loop is needed to receive its close event.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
