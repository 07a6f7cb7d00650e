/**
 * Source `byok`: the client brings its own provider key. Nobody vouches for it before the provider does, so the actor
 * is but a fingerprint: stable for a key, and no way back to it.
 */
import type { IdentitySource } from "../identity.ts";

export const byok: IdentitySource = {
  source: "byok",
  verifies: false,
  configure: () => ({
    identify: ({ ownKey: own }) =>
      own && {
        id: `byok:${own.sha256.slice(0, 32)}`,
        kind: "unknown",
        name: null,
        source: "byok",
        verified: false,
        keyId: own.sha256.slice(0, 16),
        mayAssert: null,
      },
    recognizes: () => false,
  }),
};
