/** The provider's process as the runs see it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until, within } from "../../test/support/deadline.ts";
import type { Answers, FromProvider, ToProvider } from "./plan.ts";

export type Provider = {
  readonly url: string;
  /** `host:port` of the queue. */
  readonly queue: string;
  readonly ask: <K extends keyof Answers>(what: K) => Promise<Answers[K]>;
  /** A request whose answer begins with no event has come to the provider. */
  readonly arrived: (planId: string) => Promise<void>;
  /** From now on the queue refuses the messages of a twentieth of all interceptions. */
  readonly failQueue: () => Promise<void>;
  /** When no connection to the provider is open; else, after a long wait, says how many are. */
  readonly allClosed: () => Promise<number>;
  readonly stop: () => void;
};

/** Nothing here is slow: what takes this long never comes. */
const STUCK_MS = 60_000;

export async function startProvider(): Promise<Provider> {
  const child = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)));
  const waiting = new Map<number, (answer: unknown) => void>();
  const arrivals = new Map<string, PromiseWithResolvers<void>>();
  const arrival = (id: string): PromiseWithResolvers<void> => {
    const known = arrivals.get(id) ?? Promise.withResolvers<void>();
    arrivals.set(id, known);
    return known;
  };
  const ports = Promise.withResolvers<{ provider: number; queue: number }>();
  child.on("message", (message: FromProvider) => {
    if (message.is === "ports") ports.resolve(message);
    else if (message.is === "arrived") arrival(message.id).resolve();
    else waiting.get(message.to)?.(message.answer);
  });
  let asked = 0;
  const ask: Provider["ask"] = async <K extends keyof Answers>(what: K) => {
    const number = (asked += 1);
    const answer = new Promise<unknown>((resolve) => waiting.set(number, resolve));
    child.send({ ask: what, number } satisfies ToProvider);
    const given = await within(answer, () => `the provider does not say its ${what}`, STUCK_MS);
    waiting.delete(number);
    return given as Answers[K];
  };
  const { provider, queue } = await within(ports.promise, () => "the provider did not start", STUCK_MS);
  return {
    url: `http://127.0.0.1:${provider}`,
    queue: `127.0.0.1:${queue}`,
    ask,
    arrived: (id) => within(arrival(id).promise, () => `${id} did not come to the provider`, STUCK_MS),
    failQueue: async () => {
      await fetch(`http://127.0.0.1:${queue}/failing`, { method: "POST", body: "yes" });
    },
    allClosed: async () => {
      let open = 0;
      const look = async () => ((open = await ask("connections")) === 0 ? true : undefined);
      await until(look, () => "", STUCK_MS).catch(() => undefined);
      return open;
    },
    stop: () => void child.kill(),
  };
}
