/** A minimal client of V8's inspector protocol, as workerd serves it. */
import { setTimeout as wait } from "node:timers/promises";
import { within } from "../test/support/deadline.ts";

const NUDGE_INTERVAL_MS = 10;

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
    const response = new Promise<unknown>((resolve) => waiting.set((calls += 1), resolve));
    socket.send(JSON.stringify({ id: calls, method, params }));
    return within(response, () => `the inspector did not respond to ${method}`, 30_000);
  };
  return { call, close: () => socket.close() };
}

export type Heap = {
  /** The bytes of JavaScript objects. */
  readonly used: number;
  /** The bytes of array buffers outside V8's own heap. */
  readonly buffers: number;
};

/** The reachable heap after a full collection. workerd collects when the isolate next runs, so `nudge` sends a request. */
export async function heapAfterCollection({ call }: Inspector, nudge: () => Promise<void>): Promise<Heap> {
  // The second collection frees the objects that the first one's finalizers released.
  for (let times = 0; times < 2; times += 1) {
    let settled = false;
    const collected = call("HeapProfiler.collectGarbage").finally(() => (settled = true));
    // One nudge may not be enough: workerd reads inspector messages concurrently with requests.
    while (!settled) await Promise.all([nudge(), wait(NUDGE_INTERVAL_MS)]);
    await collected;
  }
  const usage = (await call("Runtime.getHeapUsage")) as { usedSize: number; backingStorageSize?: number };
  return { used: usage.usedSize, buffers: usage.backingStorageSize ?? 0 };
}
