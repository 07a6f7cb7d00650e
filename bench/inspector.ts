/** The little of V8's inspector protocol that is needed, as workerd serves it. */
import { setTimeout as wait } from "node:timers/promises";
import { within } from "../test/support/deadline.ts";

const NUDGE_MS = 10;

export type Inspector = {
  readonly call: (method: string, params?: object) => Promise<unknown>;
  readonly close: () => void;
};

export async function openInspector(port: number): Promise<Inspector> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const [target] = targets;
  if (!target) throw new Error("workerd's inspector has no target");
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
    waiting.get(id)?.(result);
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  let calls = 0;
  const call = (method: string, params: object = {}): Promise<unknown> => {
    const answered = new Promise<unknown>((resolve) => waiting.set((calls += 1), resolve));
    socket.send(JSON.stringify({ id: calls, method, params }));
    return within(answered, () => `the inspector did not answer ${method}`, 30_000);
  };
  return { call, close: () => socket.close() };
}

export type Heap = {
  /** JavaScript's objects, in bytes. */
  readonly used: number;
  /** What array buffers hold outside of V8's own heap, in bytes. */
  readonly buffers: number;
};

/**
 * After a full collection: what is still reachable. workerd collects when the isolate next has something to do, so
 * `nudge` gives it something.
 */
export async function heapAfterCollection({ call }: Inspector, nudge: () => Promise<void>): Promise<Heap> {
  // The second collection takes what the first one's finalizers have let go of.
  for (let times = 0; times < 2; times += 1) {
    let settled = false;
    const collected = call("HeapProfiler.collectGarbage").finally(() => (settled = true));
    // Each call until it has: the inspector hears of it beside the requests, perhaps after one.
    while (!settled) await Promise.all([nudge(), wait(NUDGE_MS)]);
    await collected;
  }
  const usage = (await call("Runtime.getHeapUsage")) as { usedSize: number; backingStorageSize?: number };
  return { used: usage.usedSize, buffers: usage.backingStorageSize ?? 0 };
}
