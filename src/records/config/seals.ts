/** The settings of the log of seals, and its private keys. */
import type { Environment } from "../../shared/config/environment.ts";
import { isSealOrigin, sealKeyName } from "../../shared/seal-key.ts";

export type SealsConfig = {
  /** The private keys as their secret has them: the log's key, and during a rotation the one before it. */
  readonly keys: readonly [string, ...string[]];
  /** Whether checkpoints and tiles are published in `ARCHIVE`. */
  readonly publish: boolean;
};

const NAME = "SEAL_KEY";

/** null where there is no key. */
export function readSeals({ has, fields, secret, report }: Environment): SealsConfig | null {
  const table = fields("SEALS");
  const origin = table.text("origin");
  const publish = table.flag("publish", false);
  table.rejectUnknown();
  if (origin !== null && !isSealOrigin(origin))
    table.reject("origin", "must be a name without blanks and plus signs, such as ai.example.com/records");
  if (!has(NAME)) {
    if (publish) table.reject("publish", "requires the secret SEAL_KEY");
    return null;
  }
  const [key, ...earlier] = (secret(NAME) ?? "").split(/\s+/);
  if (key === undefined || key === "") return null;
  const names = [key, ...earlier].map(sealKeyName);
  if (earlier.length > 1 || names.includes(null)) {
    report(
      NAME,
      "must be a private key of `npm run keys -- seal`, or the next and the present one with a blank between",
    );
    return null;
  }
  if (origin === null) table.reject("origin", "is required with SEAL_KEY");
  else if (names.some((name) => name !== origin)) report(NAME, "must be a key for SEALS.origin");
  return { keys: [key, ...earlier], publish };
}
