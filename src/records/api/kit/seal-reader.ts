/** Reads of the log of seals: the ledger's own functions, over the API's queries. */
import { Refusal } from "../../../shared/refusal.ts";
import type { CheckpointProof, EventProof, NoProof } from "../../ledger/seal/proof.ts";
import type { Query } from "../../ledger/seal/rebuild.ts";
import type { QueryLedger } from "./query-ledger.ts";

export type SealReader = {
  /** Whether there is a key, so that events get sealed. */
  readonly isOn: boolean;
  readonly proveEvent: (query: Query, eventId: string) => Promise<EventProof | NoProof>;
  readonly proveCheckpoint: (query: Query, earlier: number) => Promise<CheckpointProof | null>;
};

/** Runs a reader. Refuses where the ledger cannot be read. */
export async function readSeals<T>(
  query: QueryLedger,
  read: (query: Query) => Promise<T>,
): Promise<T | Refusal> {
  try {
    return await read(async (text, ...values) => {
      const rows = await query([{ text, values }]);
      if (rows instanceof Refusal) throw new Unreadable(rows);
      return rows[0];
    });
  } catch (error) {
    if (error instanceof Unreadable) return error.refusal;
    throw error;
  }
}

class Unreadable extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}
