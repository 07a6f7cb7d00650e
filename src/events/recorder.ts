/**
 * Hands each event to every sink. A sink that fails harms neither the answer nor the other sinks; its failure is said
 * once per interception on the console.
 */
import type { InterceptorEvent } from "./event.ts";

/** One event; may return a promise for what happens after the answer. Throwing and rejecting are both allowed. */
export type Sink = {
  readonly name: string;
  readonly write: (event: InterceptorEvent) => void | Promise<void>;
};

export type Recorder = { readonly record: (event: InterceptorEvent) => void };

export function createRecorder(
  sinks: readonly Sink[],
  /** Keeps the invocation alive for a sink's promise. */
  waitUntil: (promise: Promise<unknown>) => void,
  onFailure: (sink: string, error: unknown) => void,
): Recorder {
  const failed = new Set<string>();
  const fail = (sink: string, error: unknown): void => {
    if (failed.has(sink)) return;
    failed.add(sink);
    onFailure(sink, error);
  };
  const record = (event: InterceptorEvent): void => {
    for (const { name, write } of sinks) {
      try {
        const pending = write(event);
        if (pending) waitUntil(pending.catch((error: unknown) => fail(name, error)));
      } catch (error) {
        fail(name, error);
      }
    }
  };
  return { record };
}
