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
export const QUEUE_MARK = "queue message: ";

/** Of a long log, this much of its end says what went wrong. */
const PRINTED_LINES = 60;

export class EventLog {
  #lines: LogLine[] = [];
  /** Events are parsed once: whoever waits for the last of thousands looks again and again. */
  #events: InterceptorEvent[] = [];
  #parsedLines = 0;

  take(line: LogLine): void {
    this.#lines.push(line);
  }

  clear(): void {
    this.#lines = [];
    this.#events = [];
    this.#parsedLines = 0;
  }

  has(message: string): boolean {
    return this.#lines.some((line) => line.message === message);
  }

  /** Every line the Worker or the runtime printed. */
  lines(): LogLine[] {
    return this.#lines.filter(isTheWorkers);
  }

  /** The interception log. A line that looks like an event and is not one JSON object is an error. */
  events(): InterceptorEvent[] {
    for (const line of this.#lines.slice(this.#parsedLines)) {
      if (isTheWorkers(line) && line.message.includes('"interception log"')) {
        this.#events.push(JSON.parse(line.message) as InterceptorEvent);
      }
      this.#parsedLines += 1;
    }
    return [...this.#events];
  }

  points(dataset?: string): WrittenPoint[] {
    return this.#lines
      .filter(({ message }) => message.startsWith(POINT_MARK))
      .map(({ message }) => JSON.parse(message.slice(POINT_MARK.length)) as WrittenPoint)
      .filter((written) => dataset === undefined || written.dataset === dataset);
  }

  /** What went into the queue, message by message, each a list of events. */
  queued(): InterceptorEvent[] {
    return this.#lines
      .filter(({ message }) => message.startsWith(QUEUE_MARK))
      .flatMap(({ message }) => JSON.parse(message.slice(QUEUE_MARK.length)) as InterceptorEvent[]);
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
    const shown = this.#lines.slice(-PRINTED_LINES).map(({ level, message }) => `  ${level}: ${message}`);
    const hidden = this.#lines.length - shown.length;
    return [...(hidden > 0 ? [`  … ${hidden} lines before`] : []), ...shown].join("\n");
  }
}

function isTheWorkers({ message }: LogLine): boolean {
  return ![POINT_MARK, FLUSH_MARK, QUEUE_MARK].some((mark) => message.startsWith(mark));
}
