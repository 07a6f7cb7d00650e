/** The public key of the log of seals in a local run. */
import { createSigner } from "../../src/records/ledger/seal/note-keys.ts";
import { LOCAL_SEAL_KEY } from "../local-keys.ts";

/** In the form that the console's page of seals requires. */
export const localVerifierKey = async (): Promise<string> => (await createSigner(LOCAL_SEAL_KEY)).verifierKey;

/** The key with what it is for. */
export const verifierKeyText = (key: string): string =>
  `Verifier key, for the page Seals: with it, the browser checks that no record was changed or removed.\n  ${key}`;
