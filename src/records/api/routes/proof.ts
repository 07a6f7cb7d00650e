/** GET /proof/{event_id}: that an event is in the log of seals, and that its row is what was sealed. */
import { RecordsRefusal } from "../../../shared/records-refusal.ts";
import { Refusal } from "../../../shared/refusal.ts";
import * as schema from "../../../shared/json-schema.ts";
import { endpoint } from "../kit/endpoint.ts";
import { readSeals } from "../kit/seal-reader.ts";

const HASH = schema.withDescription(schema.TEXT, "SHA-256 in base64.");

/** Also of `GET /checkpoint`. */
export const CHECKPOINT = schema.withDescription(
  schema.TEXT,
  "The signed tree head: a C2SP note with the log's name, the size of the tree and its root.",
);

export const proof = endpoint({
  path: "/proof/{event_id}",
  summary: "The proof that an event is sealed",
  description:
    "An inclusion proof (RFC 6962) of the event in the tree of the last checkpoint. The leaf's hash is SHA-256 of a zero byte and the entry's text. `event_id` is that of an event: of an interception's start and its end, each of its prompts, tool calls and so on.",
  filters: {},
  records: false,
  parameters: {},
  response: schema.object({
    event_id: schema.UUID,
    leaf_index: schema.COUNT,
    leaf_hash: HASH,
    tree_size: schema.COUNT,
    inclusion_proof: schema.withDescription(schema.list(HASH), "From the leaf up."),
    checkpoint: CHECKPOINT,
    entry: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The sealed text, canonical JSON. null where the row is no longer what was sealed.",
    ),
    is_intact: schema.withDescription(schema.FLAG, "Whether the row is what was sealed."),
    erased: schema.withDescription(
      { type: "object", additionalProperties: schema.TIME },
      "The fields whose values were erased, each with the time.",
    ),
  }),
  handle: async (_, __, { id, query, seals }) => {
    const result = await readSeals(query, (run) => seals.proveEvent(run, id.toLowerCase()));
    switch (result) {
      case "unknown":
        return new RecordsRefusal("event_not_found");
      case "unsealed":
        return new RecordsRefusal("event_before_seals");
      case "pending":
        return new RecordsRefusal(seals.isOn ? "event_not_sealed" : "seals_off");
      default:
        return result instanceof Refusal ? result : { body: result };
    }
  },
});
