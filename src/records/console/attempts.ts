/** Bounds attempts to sign in with a token: a guess costs an attacker a minute, and the ledger gets no flood of failures. */
import { sha256Hex } from "../../shared/digest.ts";

/** Attempts of one address in a minute. */
export const MAX_ATTEMPTS = 10;
/** Failures of all addresses in a minute that become events. */
const MAX_RECORDED = 60;
const MINUTE_MS = 60_000;
/** Of all addresses together; no address has this name. */
const ALL = "";

export type Attempts = {
  /** Counts an attempt before it is decided. false: the address has made too many. */
  readonly begin: (address: string, now: number) => Promise<boolean>;
  /** The attempt succeeded, so that it does not count. */
  readonly succeed: (address: string, now: number) => Promise<void>;
  /** Counts a failure. Returns whether it is to be recorded. */
  readonly fail: (now: number) => Promise<boolean>;
};

/** Addresses are stored as digests, and for two minutes at most after the next attempt. */
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

/** A subscriber has a /64 of IPv6 addresses. */
const networkOf = (address: string): string =>
  address.includes(":") ? address.split(":").slice(0, 4).join(":") : address;
