/** `npm run report` right after a request to `npm start`: waits for the events that are still on their way to the ledger. */
import { isLoopback } from "../admin-token.ts";
import { describeUndelivered, waitForDelivery } from "../local/undelivered.ts";

/** Storing takes milliseconds. A request that streams for longer than this is reported without its end. */
const WITHIN_MS = 3000;

/** Only a local run can be waited for; a deployed gateway gets no request for it. */
export async function awaitDelivery(url: string, print: (line: string) => void): Promise<void> {
  if (!isLoopback(url)) return;
  const rest = await waitForDelivery(url, {
    withinMs: WITHIN_MS,
    onWait: (undelivered) => print(`Waiting for ${describeUndelivered(undelivered)} …`),
  });
  if (rest !== null) print(`Not in the ledger yet, and missing below: ${describeUndelivered(rest)}.`);
}
