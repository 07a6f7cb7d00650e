/** The fake provider's answers, as the plan in each request wants them. */
import { crc32 } from "node:zlib";
import type { Step, Wire } from "../../test/support/response-steps.ts";
import { sseSteps } from "../../test/support/response-steps.ts";
import { toBytes } from "../../test/support/wire.ts";
import { closingEvents, contentEvent } from "../answers.ts";
import { BEATS_PER_SECOND, LINE_BYTES, type Plan, type Sent } from "./plan.ts";

export type Sending = { -readonly [K in keyof Sent]: Sent[K] };

/** Small enough that whoever stops reading is noticed, large enough to be cheap. */
export const FLOOD_BLOCK = toBytes(contentEvent(" flood".repeat(2_000)));

const BIG_LINE = toBytes(contentEvent("x".repeat(LINE_BYTES)));

/** Streams take turns within a beat: a twentieth of them at a time, by one timer. */
const TURNS = 20;

type Beat = () => void;

/** Calls each of its streams once a beat, however many there are. */
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

  /** What it gives takes the stream out again. */
  join(beat: Beat): () => void {
    this.#next = (this.#next + 1) % TURNS;
    const turn = this.#turns[this.#next];
    turn?.add(beat);
    return () => void turn?.delete(beat);
  }
}

/** An event that says when it was sent. */
function word(at: number): Uint8Array {
  return toBytes(contentEvent(` word${at % 10}`, { sent: String(process.hrtime.bigint()) }));
}

export function answerFor(plan: Plan, sending: Sending, metronome: Metronome): readonly Step[] {
  const { events, asked, paced, fate } = plan;
  /** `hidden`: the interceptor takes it out. */
  const send = async (wire: Wire, bytes: Uint8Array, hidden = false): Promise<void> => {
    if (!hidden) {
      sending.crc = crc32(bytes, sending.crc);
      sending.bytes += bytes.length;
    }
    await wire.body(bytes);
    sending.taken += bytes.length;
  };
  const beats =
    (count: number): Step =>
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
  const burst: Step = async (wire) => {
    for (let at = 0; at < events; at += 1) await send(wire, word(at));
  };
  const close: Step = async (wire) => {
    const [finish = "", ...rest] = closingEvents(true);
    const [usage = "", done = ""] = rest;
    await send(wire, toBytes(finish));
    await send(wire, toBytes(usage), !asked);
    await send(wire, toBytes(done));
    await wire.finish();
  };
  const flood: Step = async (wire) => {
    let gone = false;
    void wire.gone.then(() => (gone = true));
    while (!gone) {
      await send(wire, FLOOD_BLOCK);
      // A write to a connection that is closing settles at once: let its end be heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const fates = {
    end: [close],
    reset: [(wire: Wire) => wire.reset()],
    hang: [(wire: Wire) => wire.gone],
    drip: [beats(Number.POSITIVE_INFINITY)],
    flood: [flood],
    line: [(wire: Wire) => send(wire, BIG_LINE), close],
  } as const satisfies Record<Plan["fate"], readonly Step[]>;
  const over: Step = () => void (sending.over = true);
  const rest = [...fates[fate], over];
  return events < 0 ? rest : sseSteps([paced ? beats(events) : burst, ...rest]);
}
