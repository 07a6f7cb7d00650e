/** Which events the ledger takes: those of the gateway, as their MAC proves where a key is configured. */
import type { PresentedMac, Verify } from "../../../events/event-mac.ts";

export type RejectionReason = "missing" | "unknown_key" | "wrong";

export type Authenticity =
  /** `macKeyId`: null where no MAC was verified. */
  | { readonly isAccepted: true; readonly macKeyId: string | null }
  /** `macKeyId`: the key that the MAC names; null where it names none. */
  | { readonly isAccepted: false; readonly macKeyId: string | null; readonly reason: RejectionReason };

export type Authenticate = (mac: PresentedMac | null) => Promise<Authenticity>;

export const UNMARKED: Authenticity = { isAccepted: true, macKeyId: null };
const MISSING: Authenticity = { isAccepted: false, macKeyId: null, reason: "missing" };

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
