/** What is asked of the provider: each request carries it in a header, so that both ends know what must become of it. */

/**
 * - `end`: the answer is closed as it should be.
 * - `reset`: the connection breaks.
 * - `hang`: nothing more comes, and nothing ends.
 * - `drip`: an event a beat, until the client has left.
 * - `flood`: events as fast as they are taken, until the client has left.
 * - `line`: one event of 16 MiB, then the proper end.
 */
export type Fate = "end" | "reset" | "hang" | "drip" | "flood" | "line";

export type Plan = {
  readonly id: string;
  /** The client asks for usage itself; else the interceptor does, and takes the answer to that out again. */
  readonly asked: boolean;
  /** Events before its fate; -1: not even a head. */
  readonly events: number;
  /** One a beat, each with the time it was sent, or all at once. */
  readonly paced: boolean;
  readonly fate: Fate;
};

/** Unknown `x-` headers are forwarded as they are. */
export const PLAN_HEADER = "x-endurance-plan";

export const BEATS_PER_SECOND = 5;
export const LINE_BYTES = 16 * 1024 * 1024;

/** The provider's side of a stream: its body as the client must see it. */
export type Sent = {
  readonly bytes: number;
  readonly crc: number;
  /** What the interceptor has taken of it. */
  readonly taken: number;
  readonly over: boolean;
};

export type QueueReport = {
  readonly messages: number;
  /** Interceptions whose messages the queue refuses, every time. */
  readonly refused: number;
  /** Event names (`<interception> <record type>`), each as often as it was taken. */
  readonly events: readonly string[];
};

/** What the provider's process can be asked. */
export type Answers = {
  /** Of each stream, by its plan's id. */
  readonly sent: Readonly<Record<string, Sent>>;
  /** Open ones, of the provider; the queue's are not among them. */
  readonly connections: number;
  /** Different starts and ends that the queue has taken, together. */
  readonly pairs: number;
  /** Messages that the queue is being sent just now. */
  readonly busy: number;
  readonly queue: QueueReport;
};

export type FromProvider =
  | { readonly is: "ports"; readonly provider: number; readonly queue: number }
  | { readonly is: "arrived"; readonly id: string }
  | { readonly is: "answer"; readonly to: number; readonly answer: unknown };
export type ToProvider = { readonly ask: keyof Answers; readonly number: number };

/** What every interception has one of each of. */
export const PAIR: readonly string[] = ["interception_start", "interception_end"];

/** Who is one of the twentieth that a failing sink does not take: by the end of the id, which is random. */
export function isUnlucky(interceptionId: string): boolean {
  return Number.parseInt(interceptionId.slice(-8), 16) % 20 === 0;
}
