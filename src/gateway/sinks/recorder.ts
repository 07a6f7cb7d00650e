/**
 * Collects the events of one request and passes them to every sink in groups: those that are known before the provider is
 * called, and those of the end. A sink that fails affects neither the response nor the other sinks, unless it is required;
 * its failure is logged once per request.
 */
import type { InterceptorEvent } from "../../events/event.ts";

/** A group of events, in order, never empty. */
type Group = readonly InterceptorEvent[];

export type Sink =
  /** Writes at once. It may throw. */
  | { readonly kind: "immediate"; readonly name: string; readonly write: (events: Group) => void }
  /** Writes behind the response. Where `required`, a request is forwarded only once the sink has taken its start. */
  | {
      readonly kind: "awaited";
      readonly name: string;
      readonly required: boolean;
      /** Returns null where this request has nothing to wait for. */
      readonly write: (events: Group) => Promise<void> | null;
    };

/** A sink that writes asynchronously. */
export type AwaitedSink = Extract<Sink, { readonly kind: "awaited" }>;

export type Recorder = {
  readonly record: (event: InterceptorEvent) => void;
  /**
   * Passes on the events recorded since the last flush. Resolves to whether every required sink took them; without a
   * required sink it is resolved at once. Never rejects.
   */
  readonly flush: () => Promise<boolean>;
};

const TAKEN = Promise.resolve(true);

export function createRecorder(
  sinks: readonly Sink[],
  /** Keeps the invocation alive until a sink has written. */
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

  /** Returns null where there is nothing to wait for. */
  const writeTo = (sink: Sink, events: Group): Promise<boolean> | null => {
    try {
      const written = sink.write(events) ?? null;
      return (
        written &&
        written.then(
          () => true,
          (error: unknown) => fail(sink.name, error),
        )
      );
    } catch (error) {
      return Promise.resolve(fail(sink.name, error));
    }
  };

  const flush = (): Promise<boolean> => {
    if (collected.length === 0) return TAKEN;
    const events = collected;
    collected = [];
    const required: Promise<boolean>[] = [];
    for (const sink of sinks) {
      const written = writeTo(sink, events);
      if (written === null || sink.kind === "immediate") continue;
      waitUntil(written);
      if (sink.required) required.push(written);
    }
    return required.length === 0 ? TAKEN : Promise.all(required).then((all) => all.every(Boolean));
  };

  return { record: (event) => void collected.push(event), flush };
}
