/** The records of a running gateway, read from its console file. They are counted per interception, not only in total. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Outcome } from "../../src/events/vocabulary.ts";
import { until } from "../../test/support/deadline.ts";

export const POINT_MARK = "analytics point: ";

const SETTLE_TIMEOUT_MS = 120_000;

type Line = {
  readonly message: string;
  readonly record_type: string;
  readonly interception_id: string;
  readonly outcome?: Outcome;
  readonly usage?: string;
  readonly observation?: string;
  readonly response_bytes?: number;
  readonly event?: { readonly interception_id: string; readonly record_type: string };
};
type Point = { readonly id: string; readonly type: string; readonly thrown: boolean };

export type End = {
  readonly outcome: Outcome;
  readonly usage: string;
  readonly observation: string;
  readonly response_bytes: number;
};

export class Records {
  /** The number of starts and of ends per interception. */
  readonly starts = new Map<string, number>();
  readonly ends = new Map<string, number>();
  /** The last end event per interception. */
  readonly last = new Map<string, End>();
  /** The names of events that the log holds completely, because the queue refused them. */
  readonly fallback: string[] = [];
  readonly points: Point[] = [];
  /** All other lines. */
  readonly others: string[] = [];
  readonly #file: number;
  readonly #buffer = Buffer.alloc(1 << 20);
  #rest = "";

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  read(): void {
    for (let size = readSync(this.#file, this.#buffer); size > 0; size = readSync(this.#file, this.#buffer)) {
      const lines = (this.#rest + this.#buffer.toString("latin1", 0, size)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
  }

  /** Waits for this many starts and ends. A timeout is not an error here, because the caller counts what is missing. */
  async settled(count: number): Promise<void> {
    const poll = async () => (this.read(), this.starts.size >= count && this.ends.size >= count) || undefined;
    await until(poll, () => "", SETTLE_TIMEOUT_MS).catch(() => undefined);
  }

  outcomes(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { outcome } of this.last.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  close(): void {
    closeSync(this.#file);
  }

  #take(text: string): void {
    if (text.startsWith(POINT_MARK)) {
      this.points.push(JSON.parse(text.slice(POINT_MARK.length)) as Point);
      return;
    }
    if (!text.startsWith("{")) {
      if (text !== "") this.others.push(text);
      return;
    }
    const line = JSON.parse(text) as Line;
    if (line.event) this.fallback.push(`${line.event.interception_id} ${line.event.record_type}`);
    const { interception_id: id } = line;
    if (line.record_type === "interception_start") this.starts.set(id, (this.starts.get(id) ?? 0) + 1);
    if (line.record_type !== "interception_end") return;
    this.ends.set(id, (this.ends.get(id) ?? 0) + 1);
    this.last.set(id, line as End);
  }
}
