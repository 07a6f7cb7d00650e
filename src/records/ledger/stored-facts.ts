/**
 * How and when the ledger stored an event: one text beside the event, in the column `seal` (`start_seal` and `end_seal` where
 * a row has two events). It is written with the event and never changed by a later delivery.
 *
 * Its first part, 16 random bytes, tells whether a statement stored the event or found it stored. The salts of the event's
 * entry in the log of seals are derived from it.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { toBase64Url } from "../../shared/base64.ts";

/** The way by which an event reached the ledger. */
export const VIA = {
  q: "the queue",
  r: "a call of the gateway, without a queue",
  d: "the dead-letter queue",
  p: "`npm run replay`",
  m: "the records Worker itself: its cron, its API, its tools",
} as const;
export type Via = keyof typeof VIA;

export type StoredFacts = {
  readonly via: Via;
  /** The id of the key whose MAC was verified; null where the event had none. */
  readonly macKeyId: string | null;
  /** Milliseconds since 1970. */
  readonly storedAt: number;
};

/** An event, and how it reached the ledger. */
export type LedgerEntry = { readonly event: InterceptorEvent } & StoredFacts;

/** The facts with the event's seed, as `parseSeal` reads them. */
export type Seal = StoredFacts & {
  /** 16 bytes in base64url, without padding. */
  readonly seed: string;
};

/** In a row from before the ledger kept these facts. */
export const NO_SEAL = "";

/** `random`: fills the bytes, as `crypto.getRandomValues` does. */
export function newSeal(
  { via, macKeyId, storedAt }: StoredFacts,
  random: (bytes: Uint8Array<ArrayBuffer>) => void,
): string {
  const seed = new Uint8Array(16);
  random(seed);
  return `${toBase64Url(seed)}.${storedAt.toString(36)}.${via}.${macKeyId ?? ""}`;
}

const FORM = /^([A-Za-z0-9_-]{22})\.([0-9a-z]{1,11})\.([qrdpm])\.([0-9a-zA-Z_-]*)$/;

/** null where the text has another form: that of a row from before, or of one with erased fields. */
export function parseSeal(text: string): Seal | null {
  const [, seed, storedAt, via, keyId] = FORM.exec(text) ?? [];
  if (seed === undefined || storedAt === undefined) return null;
  // The expression allows these letters only.
  return { seed, storedAt: parseInt(storedAt, 36), via: via as Via, macKeyId: keyId || null };
}
