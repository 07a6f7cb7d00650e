/** Which events the ledger takes: those of the gateway, as their MAC proves where a key is configured. */
import type { InterceptorEvent } from "../../../events/event.ts";
import type { PresentedMac, Verify } from "../../../events/event-mac.ts";
import type { RecordType } from "../../../events/fields.ts";

export type RejectionReason = "missing" | "unknown_key" | "wrong" | "reserved_type";

export type Authenticity =
  /** `macKeyId`: null where no MAC was verified. */
  | { readonly isAccepted: true; readonly macKeyId: string | null }
  /** `macKeyId`: the key that the MAC names; null where it names none. */
  | { readonly isAccepted: false; readonly macKeyId: string | null; readonly reason: RejectionReason };

export type Authenticate = (mac: PresentedMac | null) => Promise<Authenticity>;

export const UNMARKED: Authenticity = { isAccepted: true, macKeyId: null };
const MISSING: Authenticity = { isAccepted: false, macKeyId: null, reason: "missing" };

/** Only the records Worker and its tools write these, directly into the database. */
const RESERVED_TYPES: ReadonlySet<RecordType> = new Set(["ledger_access"]);

/**
 * The authenticity of one event of a message. A gateway sends no event of a reserved type, so that not even a valid MAC makes
 * one authentic: a forged deletion would excuse missing rows.
 */
export function ofEvent({ record_type: type }: InterceptorEvent, ofMessage: Authenticity): Authenticity {
  if (!ofMessage.isAccepted || !RESERVED_TYPES.has(type)) return ofMessage;
  return { isAccepted: false, macKeyId: ofMessage.macKeyId, reason: "reserved_type" };
}

/**
 * `verify`: null where no key is configured, so that every event is accepted, unmarked. `acceptsMissing`: events without a
 * MAC are accepted, unmarked; a MAC that is not valid is rejected in any case.
 */
export function createAuthenticate(verify: Verify | null, acceptsMissing: boolean): Authenticate {
  if (verify === null) return () => Promise.resolve(UNMARKED);
  return async (mac) => {
    if (mac === null) return acceptsMissing ? UNMARKED : MISSING;
    const result = await verify(mac);
    return result.isValid
      ? { isAccepted: true, macKeyId: result.keyId }
      : { isAccepted: false, macKeyId: result.keyId, reason: result.reason };
  };
}
