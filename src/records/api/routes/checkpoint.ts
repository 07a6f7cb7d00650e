/** GET /checkpoint: the last signed tree head of the log of seals. */
import { RecordsRefusal } from "../../../shared/records-refusal.ts";
import { Refusal } from "../../../shared/refusal.ts";
import * as schema from "../../../shared/json-schema.ts";
import { endpoint } from "../kit/endpoint.ts";
import { integer } from "../kit/parameter.ts";
import { readSeals } from "../kit/seal-reader.ts";
import { CHECKPOINT } from "./proof.ts";

export const checkpoint = endpoint({
  path: "/checkpoint",
  summary: "The last checkpoint",
  description:
    "The signed head of the ledger's log, and with `from` the proof that it continues the tree of an earlier checkpoint.",
  filters: {},
  records: false,
  parameters: {
    from: integer(0, 999_999_999, 0, "The size of an earlier tree. 0: without a consistency proof."),
  },
  response: schema.object({
    checkpoint: CHECKPOINT,
    tree_size: schema.COUNT,
    signed_at: schema.TIME,
    consistency_proof: schema.withDescription(
      schema.orNull(schema.list(schema.TEXT)),
      "Hashes in base64 (RFC 6962 §2.1.2). null without `from`, and where the tree is smaller than that.",
    ),
  }),
  handle: async ({ from }, _, { query, seals }) => {
    const result = await readSeals(query, (run) => seals.proveCheckpoint(run, from));
    if (result === null) return new RecordsRefusal(seals.isOn ? "checkpoint_not_found" : "seals_off");
    return result instanceof Refusal ? result : { body: result };
  },
});
