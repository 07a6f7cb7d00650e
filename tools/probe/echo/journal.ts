/** The Durable Object that keeps a session's notes, because any isolate of the echo may serve a request. */
import { DurableObject } from "cloudflare:workers";
import type { Notes } from "./protocol.ts";

/** Notes of a probe that ended before it deleted them. */
const KEEP_MS = 24 * 3600 * 1000;

export class Journal extends DurableObject {
  #waiting = new Set<() => void>();

  /** `value`: JSON. Replaces an earlier note of that name. */
  async put(run: string, name: string, value: string): Promise<void> {
    this.#createTable();
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", run, name, value);
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + KEEP_MS);
    for (const wake of this.#waiting) wake();
  }

  /** The notes of each run, as JSON, once each run has a note named in `until`, or after `waitMs`. */
  async read(runs: readonly string[], until: readonly string[], waitMs: number): Promise<string> {
    this.#createTable();
    const deadline = Date.now() + waitMs;
    for (;;) {
      const notes = runs.map((run) => this.#notesOf(run));
      const isComplete = notes.every((one) => until.length === 0 || until.some((name) => name in one));
      const restMs = deadline - Date.now();
      if (isComplete || restMs <= 0) return JSON.stringify(notes);
      await this.#nextNote(restMs);
    }
  }

  /** For the round trip of a call that does nothing. */
  ping(): number {
    return Date.now();
  }

  async forget(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  override alarm(): Promise<void> {
    return this.forget();
  }

  /** A slow body that the runtime carries natively when the echo returns it (`grace.ts`). */
  override fetch(request: Request): Response {
    const forMs = Number(new URL(request.url).searchParams.get("for_ms"));
    const { readable, writable } = new IdentityTransformStream();
    this.ctx.waitUntil(sendSlowly(writable, forMs).catch(() => undefined));
    return new Response(readable);
  }

  /** Not in the constructor: an object that is only pinged stores nothing. */
  #createTable(): void {
    this.ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS notes (run TEXT, name TEXT, value TEXT, PRIMARY KEY (run, name))",
    );
  }

  #notesOf(run: string): Notes {
    const rows = this.ctx.storage.sql.exec("SELECT name, value FROM notes WHERE run = ?", run).toArray();
    return Object.fromEntries(
      rows.map(({ name, value }) => [String(name), JSON.parse(String(value)) as unknown]),
    );
  }

  async #nextNote(restMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await Promise.race([promise, scheduler.wait(restMs)]);
    this.#waiting.delete(resolve);
  }
}

async function sendSlowly(writable: WritableStream, forMs: number): Promise<void> {
  const writer = writable.getWriter();
  const event = new TextEncoder().encode(": open\n\n");
  const end = Date.now() + forMs;
  while (Date.now() < end) {
    await writer.write(event);
    await scheduler.wait(500);
  }
  await writer.close();
}
