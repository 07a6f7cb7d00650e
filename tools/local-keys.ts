/**
 * The client keys of `npm start` and `npm run demo` with the emulated provider. They are public. They are accepted only
 * where this file's entries are configured, which no deployment does.
 */
import { entryFor, type KeyEntry, type KeyHolder } from "./client-key.ts";

export type LocalKey = { readonly key: string; readonly holder: KeyHolder; readonly does: string };

export const LOCAL_KEYS = {
  coderAgents: {
    key: "aei_local-coder-agents-service-may-assert-owner",
    holder: {
      actor: "coder-agents-service",
      kind: "service",
      name: "Coder Agents (service account)",
      assert: true,
    },
    does: "a service account that may assert owners",
  },
  reports: {
    key: "aei_local-reports-service-may-never-assert-own0",
    holder: { actor: "reports-service", kind: "service", name: "Nightly reports", assert: false },
    does: "a service account that may never assert owners",
  },
  alice: {
    key: "aei_local-alice-a-user-with-a-key-of-her-own-00",
    holder: { actor: "alice", kind: "user", name: "Alice" },
    does: "a user",
  },
} as const satisfies Readonly<Record<string, LocalKey>>;

export function localKeyEntries(): readonly KeyEntry[] {
  return Object.values(LOCAL_KEYS).map(({ key, holder }) => entryFor(key, holder));
}

/** The key of the events' MACs in such a run. */
export const LOCAL_EVENT_MAC_KEY = "aei_mac-local-key-that-authenticates-only-local-events";

/** The token of the records API in such a run. */
export const LOCAL_ADMIN_TOKEN = "aei_admin-local-token-that-opens-only-local-records";

/** The log of seals in such a run, and its private key: 32 zero bytes. */
export const LOCAL_SEAL_ORIGIN = "localhost/records";
export const LOCAL_SEAL_KEY =
  "PRIVATE+KEY+localhost/records+fef67028+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
