/**
 * What a running interceptor printed: raw lines, the events among them, and the Analytics Engine points (which the
 * fake data sets print as marked lines, in order with everything else).
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { until } from "./deadline.ts";
import type { DataPoint } from "./strict-analytics.ts";

export type LogLine = { readonly level: string; readonly message: string };
export type WrittenPoint = { readonly dataset: string; readonly point: DataPoint };

/** Begins the message of a line that is the fakes' own and not the Worker's. */
export const POINT_MARK = "analytics point: ";
export const FLUSH_MARK = "flush mark: ";

export class EventLog {
  #lines: LogLine[] = [];

  take(line: LogLine): void {
    this.#lines.push(line);
  }

  clear(): void {
    this.#lines = [];
  }

  has(message: string): boolean {
    return this.#lines.some((line) => line.message === message);
  }

  /** Every line the Worker or the runtime printed. */
  lines(): LogLine[] {
    return this.#lines.filter(
      ({ message }) => !message.startsWith(POINT_MARK) && !message.startsWith(FLUSH_MARK),
    );
  }

  /** The interception log. A line that looks like an event and is not one JSON object is an error. */
  events(): InterceptorEvent[] {
    return this.lines()
      .filter(({ message }) => message.includes('"interception log"'))
      .map(({ message }) => JSON.parse(message) as InterceptorEvent);
  }

  points(dataset?: string): WrittenPoint[] {
    return this.#lines
      .filter(({ message }) => message.startsWith(POINT_MARK))
      .map(({ message }) => JSON.parse(message.slice(POINT_MARK.length)) as WrittenPoint)
      .filter((written) => dataset === undefined || written.dataset === dataset);
  }

  /** The events, as soon as they satisfy. Fails with all that was printed. */
  static async waitForEvents(
    read: () => EventLog,
    enough: (events: readonly InterceptorEvent[]) => boolean,
  ): Promise<InterceptorEvent[]> {
    const look = () => {
      const events = read().events();
      return enough(events) ? events : undefined;
    };
    return until(look, () => `the events never satisfied\n  ${enough.toString()}\n${read().printout()}`);
  }

  printout(): string {
    return this.#lines.map(({ level, message }) => `  ${level}: ${message}`).join("\n");
  }
}
