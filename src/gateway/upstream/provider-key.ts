/** The key that the provider receives, in its header. */
import type { Provider } from "../provider/provider.ts";

export type UpstreamCredential = {
  readonly kind: "centralized" | "byok";
  /** A few characters from both ends of the key, by which its owner recognizes it; null if the key is too short. */
  readonly hint: string | null;
  readonly header: readonly [name: string, value: string];
};

export const centralCredential = (key: string, dialect: Provider["dialect"]): UpstreamCredential => ({
  kind: "centralized",
  hint: credentialHint(key),
  header: dialect.keyHeader(key),
});

/** Coder's format: 4 characters of each end from a length of 20, 2 from 10, 1 from 5; shorter keys have no hint. */
export function credentialHint(key: string): string | null {
  const shown = key.length >= 20 ? 4 : key.length >= 10 ? 2 : key.length >= 5 ? 1 : 0;
  return shown === 0 ? null : `${key.slice(0, shown)}...${key.slice(-shown)}`;
}
