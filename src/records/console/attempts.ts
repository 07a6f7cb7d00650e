/** Limits attempts to sign in with a token: by network in a minute, and by the failures in a minute that become events. */
import { sha256Hex } from "../../shared/digest.ts";
import { readAddress, truncateAddress } from "../../shared/http/address.ts";

/** Attempts of one IPv4 address, or of one /64 of IPv6, in a minute. */
export const MAX_ATTEMPTS = 10;
/** Failures of all addresses in a minute that become events. */
const MAX_RECORDED = 60;
const MINUTE_MS = 60_000;
/** The row of all failures. The name of an address is never empty. */
const ALL = "";

export type Attempts = {
  /** Counts an attempt before it is decided. Returns false where the address has made too many. */
  readonly begin: (address: string, now: number) => Promise<boolean>;
  /** Takes back the count of an attempt that succeeded. */
  readonly succeed: (address: string, now: number) => Promise<void>;
  /** Counts a failure. Returns whether it is to be recorded. */
  readonly fail: (now: number) => Promise<boolean>;
};

/** The name of an address is a part of a digest. Each attempt deletes the counts from before the last minute. */
export function createAttempts(database: D1Database): Attempts {
  const add = (name: string, now: number, amount: number): D1PreparedStatement =>
    database
      .prepare(
        `INSERT INTO console_attempts (minute, address, attempts) VALUES (?1, ?2, MAX(0, ?3))
        ON CONFLICT (minute, address) DO UPDATE SET attempts = MAX(0, attempts + ?3) RETURNING attempts`,
      )
      .bind(Math.floor(now / MINUTE_MS), name, amount);
  return {
    begin: async (address, now) => {
      const old = database
        .prepare("DELETE FROM console_attempts WHERE minute < ?1")
        .bind(Math.floor(now / MINUTE_MS) - 1);
      const results = await database.batch<{ readonly attempts?: number }>([
        old,
        add(await nameOf(address), now, 1),
      ]);
      return Number(results[1]?.results[0]?.attempts ?? MAX_ATTEMPTS + 1) <= MAX_ATTEMPTS;
    },
    succeed: async (address, now) => {
      await add(await nameOf(address), now, -1).run();
    },
    fail: async (now) => Number(await add(ALL, now, 1).first("attempts")) <= MAX_RECORDED,
  };
}

const nameOf = async (address: string): Promise<string> => (await sha256Hex(networkOf(address))).slice(0, 16);

/** A subscriber has a /64 of IPv6 addresses at least. */
function networkOf(text: string): string {
  const address = readAddress(text);
  if (address === null) return text;
  return address.includes(":") ? truncateAddress(address, 64) : address;
}
