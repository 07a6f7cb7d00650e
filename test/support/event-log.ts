/**
 * The output of a running interceptor: raw lines, the events among them, and Analytics Engine points. The fake data
 * sets print points as marked lines, in order with the rest of the output.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { readMessage } from "../../src/events/queue-message.ts";
import { until } from "./deadline.ts";
import type { DataPoint } from "./strict-analytics.ts";

export type LogLine = { readonly level: string; readonly message: string };
export type WrittenPoint = { readonly dataset: string; readonly point: DataPoint };

/** Prefixes of lines that the fakes print, not the Worker. */
export const POINT_MARK = "analytics point: ";
export const FLUSH_MARK = "flush mark: ";
export const QUEUE_MARK = "queue message: ";

/** Failure messages show this many lines from the end of the log. */
const PRINTOUT_LINES = 60;

export class EventLog {
  #lines: LogLine[] = [];
  /** Each event is parsed once, because `waitForEvents` polls a log that can hold thousands of lines. */
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
    return this.#lines.filter(isFromWorker);
  }

  /** The interception log. Throws on a line that looks like an event but is not valid JSON. */
  events(): InterceptorEvent[] {
    for (const line of this.#lines.slice(this.#parsedLines)) {
      if (isFromWorker(line) && line.message.includes('"interception log"')) {
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

  /** The events of all queue messages, in order. */
  /** The messages that the queue took, as text. */
  queuedTexts(): string[] {
    return this.#lines
      .filter(({ message }) => message.startsWith(QUEUE_MARK))
      .map(({ message }) => message.slice(QUEUE_MARK.length));
  }

  queued(): InterceptorEvent[] {
    return this.#lines
      .filter(({ message }) => message.startsWith(QUEUE_MARK))
      .flatMap(({ message }) => readMessage(message.slice(QUEUE_MARK.length)).events);
  }

  /** The events, as soon as `isDone` accepts them. A timeout fails with the end of the log. */
  static async waitForEvents(
    read: () => EventLog,
    isDone: (events: readonly InterceptorEvent[]) => boolean,
  ): Promise<InterceptorEvent[]> {
    const poll = () => {
      const events = read().events();
      return isDone(events) ? events : undefined;
    };
    return until(poll, () => `the events never satisfied\n  ${isDone.toString()}\n${read().printout()}`);
  }

  printout(): string {
    const shown = this.#lines.slice(-PRINTOUT_LINES).map(({ level, message }) => `  ${level}: ${message}`);
    const hidden = this.#lines.length - shown.length;
    return [...(hidden > 0 ? [`  … ${hidden} lines before`] : []), ...shown].join("\n");
  }
}

function isFromWorker({ message }: LogLine): boolean {
  return ![POINT_MARK, FLUSH_MARK, QUEUE_MARK].some((mark) => message.startsWith(mark));
}
