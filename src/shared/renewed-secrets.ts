/** A finder of secrets, some of which are renewed while the isolate runs: tokens that the gateway fetches. */
import { createSecretFinder, type NamedSecret, type SecretFinder } from "./secret-finder.ts";

/** A response may still quote the value before the last one. */
const KEPT = 2;

export type RenewedSecrets = {
  readonly finder: SecretFinder;
  /** Adds a value, and forgets all but the last two of that name. */
  readonly renew: (secret: NamedSecret) => void;
};

/** `secrets`: those that stay. A value that is added must have 16 characters or more. */
export function createRenewedSecrets(secrets: readonly NamedSecret[]): RenewedSecrets {
  let renewed: readonly NamedSecret[] = [];
  let current = createSecretFinder(secrets);
  return {
    finder: {
      find: (text) => current?.find(text) ?? null,
      findAny: (text) => current?.findAny(text) ?? null,
      redact: (text) => current?.redact(text) ?? text,
      redactField: (text) => current?.redactField(text) ?? text,
      hasShort: current?.hasShort ?? false,
      isAbsentFrom: (json) => current?.isAbsentFrom(json) ?? true,
    },
    renew: (secret) => {
      const others = renewed.filter(({ name }) => name !== secret.name);
      const earlier = renewed.filter(({ name }) => name === secret.name).slice(1 - KEPT);
      renewed = [...others, ...earlier, secret];
      current = createSecretFinder([...secrets, ...renewed]);
    },
  };
}
