/** The plan of one stream. Each request carries it in a header, so the provider and the client expect the same. */

/**
 * - `end`: the response ends normally.
 * - `reset`: the provider resets the connection.
 * - `hang`: the provider sends nothing more and keeps the connection open.
 * - `drip`: the provider sends one event per beat until the client disconnects.
 * - `flood`: the provider sends events as fast as they are read until the client disconnects.
 * - `line`: the provider sends one event of 16 MiB and then ends normally.
 */
export type Ending = "end" | "reset" | "hang" | "drip" | "flood" | "line";

export type Plan = {
  readonly id: string;
  /** Whether the client requests usage. Otherwise the gateway requests it and removes the usage event. */
  readonly requestsUsage: boolean;
  /** The number of events before the ending; -1: not even headers. */
  readonly events: number;
  /** One event per beat, each with its time of writing; otherwise all at once. */
  readonly paced: boolean;
  readonly ending: Ending;
};

/** The gateway forwards `x-stainless-*` headers. */
export const PLAN_HEADER = "x-stainless-endurance-plan";

export const BEATS_PER_SECOND = 5;
export const LINE_BYTES = 16 * 1024 * 1024;

/** The provider's side of a stream: the body that the client must receive. */
export type Sent = {
  readonly bytes: number;
  readonly crc: number;
  /** The bytes that the gateway has read. */
  readonly read: number;
  readonly over: boolean;
};

export type QueueReport = {
  readonly messages: number;
  /** The number of sends that were aborted within their body. */
  readonly aborted: number;
  /** The number of interceptions whose messages the queue always refuses. */
  readonly refused: number;
  /** One name (`<interception> <record type>`) for each time that the queue accepted an event. */
  readonly events: readonly string[];
};

/** The queries that the provider's process responds to, with the type of each result. */
export type Queries = {
  /** By the plan's id. */
  readonly sent: Readonly<Record<string, Sent>>;
  /** Open connections to the provider, without those to the queue. */
  readonly connections: number;
  /** The number of distinct starts and ends that the queue has accepted. */
  readonly pairs: number;
  /** The number of messages in transit to the queue. */
  readonly busy: number;
  readonly queue: QueueReport;
};

export type FromProvider =
  | { readonly type: "ports"; readonly provider: number; readonly queue: number }
  | { readonly type: "arrived"; readonly id: string }
  | { readonly type: "result"; readonly number: number; readonly result: unknown };
export type ToProvider = { readonly query: keyof Queries; readonly number: number };

/** Every interception has one event of each of these types. */
export const PAIR: readonly string[] = ["interception_start", "interception_end"];

/** Selects 5% of the interceptions, whose messages a failing queue refuses. The end of an id is random. */
export function isRefusedByQueue(interceptionId: string): boolean {
  return Number.parseInt(interceptionId.slice(-8), 16) % 20 === 0;
}
