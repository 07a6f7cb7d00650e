/** Keys of the events' MACs, and what is made with them. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createSign, createVerify } from "../../../src/events/event-mac.ts";
import { toSignedMessages } from "../messages.ts";
import { createAuthenticate, type Authenticate } from "../../../src/records/ledger/write/authenticate.ts";

export const KEY = "aei_mac-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
export const NEXT_KEY = "aei_mac-GFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210";
/** The attacker's own. */
export const FOREIGN_KEY = "aei_mac-an-attackers-own-key-0123456789-0123456789";

/** The one message of a few events. */
export async function signedMessage(events: readonly InterceptorEvent[], key = KEY): Promise<string> {
  const [message = ""] = await toSignedMessages(events, createSign(key));
  return message;
}

/** As the records Worker with these keys. */
export const authenticateBy = (keys: readonly string[], acceptsMissing = false): Authenticate =>
  createAuthenticate(createVerify(keys), acceptsMissing);
