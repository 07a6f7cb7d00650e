/**
 * Collects the events of one request and hands them to every sink in groups: what is known before the provider is asked,
 * and what is known at the end. A sink that fails harms neither the answer nor the other sinks, unless it is required;
 * its failure is said once per request on the console.
 */
import type { InterceptorEvent } from "../../events/event.ts";

export type Sink = {
  readonly name: string;
  /** Nothing is forwarded whose start this sink did not take. */
  readonly required: boolean;
  /**
   * A group of events, in their order, never empty; may return a promise, for what goes on behind the answer or, where the
   * sink is required, before it. Throwing and rejecting are both allowed.
   */
  readonly write: (events: readonly InterceptorEvent[]) => void | Promise<void>;
};

export type Recorder = {
  readonly record: (event: InterceptorEvent) => void;
  /**
   * Hands on what was recorded since the last flush. Answers whether every required sink took it: at once where none is
   * required, else as soon as that is known. Never rejects.
   */
  readonly flush: () => boolean | Promise<boolean>;
};

export function createRecorder(
  sinks: readonly Sink[],
  /** Keeps the invocation alive for a sink's promise. */
  waitUntil: (promise: Promise<unknown>) => void,
  onFailure: (sink: string, error: unknown) => void,
): Recorder {
  let collected: InterceptorEvent[] = [];
  const failed = new Set<string>();
  const fail = (sink: string, error: unknown): false => {
    if (!failed.has(sink)) {
      failed.add(sink);
      onFailure(sink, error);
    }
    return false;
  };

  const flush = (): boolean | Promise<boolean> => {
    if (collected.length === 0) return true;
    const events = collected;
    collected = [];
    let taken = true;
    const awaited: Promise<boolean>[] = [];
    for (const { name, required, write } of sinks) {
      try {
        const pending = write(events);
        if (!pending) continue;
        const settled = pending.then(
          () => true,
          (error: unknown) => fail(name, error),
        );
        waitUntil(settled);
        if (required) awaited.push(settled);
      } catch (error) {
        fail(name, error);
        if (required) taken = false;
      }
    }
    if (awaited.length === 0) return taken;
    return Promise.all(awaited).then((all) => taken && all.every(Boolean));
  };

  return { record: (event) => void collected.push(event), flush };
}
