/** Workers in one `wrangler dev` with a migrated ledger, until `close`. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { migrateLedger, startWorkers, waitUntilHealthy } from "../../tools/local/wrangler.ts";

export type LocalWorkers = {
  readonly port: number;
  readonly url: string;
  /** The events that the Workers printed. */
  readonly events: readonly InterceptorEvent[];
  /** The other lines. */
  readonly notices: readonly string[];
  /** Resolves when the first Worker responds. */
  readonly healthy: () => Promise<void>;
  /** Ends the process and removes the folder. */
  readonly close: () => Promise<void>;
};

/**
 * @param folder Holds the configurations, and gets the state.
 * @param configs The Workers' configurations. The first one listens, the last one has the ledger.
 * @param chosenPort Where a configuration names the port; by default a free one.
 */
export async function startLocalWorkers(
  folder: string,
  configs: readonly string[],
  chosenPort?: number,
): Promise<LocalWorkers> {
  const persistTo = join(folder, "state");
  const events: InterceptorEvent[] = [];
  const notices: string[] = [];
  const onNotice = (line: string): void => void notices.push(line);
  await migrateLedger({ persistTo, config: configs.at(-1) }, onNotice);
  const port = chosenPort ?? (await twoFreePorts())[0];
  const onEvent = (event: InterceptorEvent): void => void events.push(event);
  const workers = startWorkers({ configs, persistTo, port, envFiles: [], onEvent, onNotice });
  const close = async (): Promise<void> => {
    await workers.end();
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const healthy = (): Promise<void> => waitUntilHealthy(url, new AbortController().signal);
  await healthy().catch(async (error: unknown) => {
    await close();
    throw new Error(`${String(error)}\n${notices.join("\n")}`);
  });
  return { port, url, events, notices, healthy, close };
}
