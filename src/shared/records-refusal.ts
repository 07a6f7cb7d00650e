/** The refusals that only the records Worker responds with. The gateway does not import them, so its bundle has no text of them. */
import { TableRefusal, type Refusal, type RefusalData, type RefusalRow } from "./refusal.ts";

const CODES = {
  console_not_here: [
    404,
    "The console is not served on this host. Use a host that CONSOLE.origins of the records Worker lists.",
  ],
  event_not_found: [404, "The ledger has no event of this id."],
  event_not_sealed: [409, "This event is not sealed yet. Retry in a minute."],
  event_before_seals: [409, "This event was stored before the ledger was sealed. There is no proof of it."],
  checkpoint_not_found: [404, "The ledger has no checkpoint yet. Retry in a minute."],
  seals_off: [409, "The ledger is not sealed: the records Worker has no SEAL_KEY."],
  gateway_unavailable: [
    503,
    "The records Worker could not call the gateway. Retry later, or deploy both Workers again.",
  ],
} as const satisfies Record<string, RefusalRow>;

export type RecordsRefusalCode = keyof typeof CODES;

/** Each code with its status and message. */
export const RECORDS_REFUSALS: Readonly<Record<RecordsRefusalCode, RefusalRow>> = CODES;

export class RecordsRefusal extends TableRefusal<RecordsRefusalCode> {
  constructor(code: RecordsRefusalCode, data: RefusalData = {}) {
    super(code, data, CODES[code]);
  }
}

/** Every refusal that the records Worker can respond with. */
export type AnyRefusal = Refusal | RecordsRefusal;
