/**
 * Source `byok`: the client brings its own provider key. Only the provider can verify it, so the actor is a fingerprint:
 * the same for the same key, and not reversible to it.
 */
import { keyIdOf } from "../../../shared/digest.ts";
import type { IdentitySource } from "../identity.ts";

export const byok: IdentitySource = {
  source: "byok",
  verifies: false,
  configure: () => ({
    identify: async ({ ownKey }) =>
      ownKey && {
        id: `byok:${ownKey.sha256.slice(0, 32)}`,
        kind: "unknown",
        name: null,
        source: "byok",
        verified: false,
        keyId: keyIdOf(ownKey.sha256),
        mayAssert: null,
      },
    recognizes: () => false,
  }),
};
