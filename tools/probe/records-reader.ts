/** Reads single interceptions back from the records API. */
import type { Budget } from "./client/sender.ts";
import type { ApiClient } from "../report/api-client.ts";

export type StoredInterception = {
  readonly id: string;
  readonly outcome: string | null;
  readonly duration_ms: number | null;
  readonly token_usages: readonly unknown[];
};

export type RecordsReader = {
  /** The interception once it has ended in the ledger; as it is, or null, after the last attempt. */
  readonly ended: (id: string, startedAfter: number) => Promise<StoredInterception | null>;
};

export const READ_ATTEMPTS = 6;
const BETWEEN_MS = 5000;

export function createRecordsReader(
  api: ApiClient,
  budget: Budget,
  sleep: (ms: number) => Promise<void>,
): RecordsReader {
  return {
    ended: async (id, startedAfter) => {
      let latest: StoredInterception | null = null;
      for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
        await sleep(BETWEEN_MS);
        budget.spend();
        const query = { started_after: new Date(startedAfter).toISOString(), limit: "100", model: "probe" };
        const { results } = (await api.get("interceptions", query)) as {
          readonly results: readonly StoredInterception[];
        };
        latest = results.find((one) => one.id === id) ?? null;
        if (latest !== null && latest.outcome !== null) return latest;
      }
      return latest;
    },
  };
}
