/** Writes a request's body piece by piece, each after its delay. */
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import type { Outgoing } from "./http.ts";

export async function sendBody(request: Writable, body: NonNullable<Outgoing["body"]>): Promise<void> {
  for (const { bytes, delayMs } of body) {
    if (delayMs > 0) await wait(delayMs);
    if (request.destroyed) return;
    await new Promise<void>((resolve) => request.write(bytes, () => resolve()));
  }
  request.end();
}
