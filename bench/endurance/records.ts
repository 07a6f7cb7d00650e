/** What a running interceptor has recorded, out of its console's file: counted by interception, never by sum alone. */
import { closeSync, openSync, readSync } from "node:fs";
import { until } from "../../test/support/deadline.ts";
import type { Outcome } from "../../src/gateway/observation/outcome.ts";

export const POINT_MARK = "analytics point: ";

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
  /** How often each interception began, and ended. */
  readonly starts = new Map<string, number>();
  readonly ends = new Map<string, number>();
  readonly last = new Map<string, End>();
  /** Event names of the ledger that went into the log whole, as nothing took them. */
  readonly fallback: string[] = [];
  readonly points: Point[] = [];
  /** Everything else that was printed. */
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

  /** When so many have begun and ended; what is missing after a long wait is the caller's to say. */
  async settled(count: number): Promise<void> {
    const look = () => (this.read(), this.starts.size >= count && this.ends.size >= count) || undefined;
    await until(look, () => "", 120_000).catch(() => undefined);
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
