/** Starts and controls the provider's process. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until, within } from "../../test/support/deadline.ts";
import type { FromProvider, Queries, ToProvider } from "./plan.ts";

export type Provider = {
  readonly url: string;
  /** `host:port` of the queue. */
  readonly queue: string;
  readonly query: <K extends keyof Queries>(name: K) => Promise<Queries[K]>;
  /** Resolves when the provider has received the request of a plan without events. */
  readonly arrived: (planId: string) => Promise<void>;
  /** From now on the queue refuses the messages of 5% of all interceptions. */
  readonly failQueue: () => Promise<void>;
  /** Waits until no connection to the provider is open. Returns the number still open after the timeout. */
  readonly allClosed: () => Promise<number>;
  readonly stop: () => void;
};

/** Far above every expected duration, so it only ends a run that hangs. */
const TIMEOUT_MS = 60_000;

export async function startProvider(): Promise<Provider> {
  const child = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)));
  const waiting = new Map<number, (result: unknown) => void>();
  const arrivals = new Map<string, PromiseWithResolvers<void>>();
  const arrival = (id: string): PromiseWithResolvers<void> => {
    const known = arrivals.get(id) ?? Promise.withResolvers<void>();
    arrivals.set(id, known);
    return known;
  };
  const ports = Promise.withResolvers<{ provider: number; queue: number }>();
  child.on("message", (message: FromProvider) => {
    if (message.type === "ports") ports.resolve(message);
    else if (message.type === "arrived") arrival(message.id).resolve();
    else waiting.get(message.number)?.(message.result);
  });
  let queries = 0;
  const query: Provider["query"] = async <K extends keyof Queries>(name: K) => {
    const number = (queries += 1);
    const response = new Promise<unknown>((resolve) => waiting.set(number, resolve));
    child.send({ query: name, number } satisfies ToProvider);
    const result = await within(response, () => `the provider did not report ${name}`, TIMEOUT_MS);
    waiting.delete(number);
    return result as Queries[K];
  };
  const { provider, queue } = await within(ports.promise, () => "the provider did not start", TIMEOUT_MS);
  return {
    url: `http://127.0.0.1:${provider}`,
    queue: `127.0.0.1:${queue}`,
    query,
    arrived: (id) => within(arrival(id).promise, () => `${id} did not reach the provider`, TIMEOUT_MS),
    failQueue: async () => {
      await fetch(`http://127.0.0.1:${queue}/failing`, { method: "POST", body: "yes" });
    },
    allClosed: async () => {
      let open = 0;
      const poll = async () => ((open = await query("connections")) === 0 ? true : undefined);
      await until(poll, () => "", TIMEOUT_MS).catch(() => undefined);
      return open;
    },
    stop: () => void child.kill(),
  };
}
