/**
 * The states of accounts as far as this isolate knows them, and, of rules in mode `soft`, the charges that it has not delivered yet. A decision
 * waits for nothing, and an object gets a call a second from each isolate, or one for each 128 charges.
 */
import type { AccountState, Settlement } from "../../../events/budget-service.ts";
import type { Account } from "./accounts.ts";
import { MAX_CHARGES, MAX_GATHERED } from "./delivery-bounds.ts";
import type { BudgetObjects } from "./object-client.ts";

/** A state counts as current for so long. */
const CURRENT_MS = 10_000;
/** How long charges are gathered. */
export const GATHER_MS = 1_000;
const MAX_KNOWN = 10_000;

type Gathered = { readonly list: Settlement[]; charges: number };

type Known = { readonly state: AccountState; readonly at: number };

export class SoftAccounts {
  readonly #objects: BudgetObjects | null;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #reported = new Map<string, number>();
  readonly #reading = new Set<string>();
  readonly #waiting = new Map<string, Gathered>();

  constructor(objects: BudgetObjects | null, now: () => number) {
    this.#objects = objects;
    this.#now = now;
  }

  /** The state of an account that has spent its limit, as far as this isolate knows; null where the call may be made. */
  spent({ object, claim }: Account): AccountState | null {
    const known = this.#known.get(keyOf(object, claim.account));
    if (!known || known.state.resetsAt <= this.#now()) return null;
    return known.state.spent >= known.state.limit ? known.state : null;
  }

  /** Reads the states of accounts that are not known, or were read long ago. Resolves when it has responded. */
  async refresh(object: string, accounts: readonly Account[]): Promise<void> {
    const at = this.#now();
    const isCurrent = accounts.every(({ claim }) => {
      const known = this.#known.get(keyOf(object, claim.account));
      return known !== undefined && at - known.at < CURRENT_MS;
    });
    if (isCurrent || this.#reading.has(object)) return;
    this.#reading.add(object);
    const states = await this.#objects?.read(
      object,
      accounts.map(({ claim }) => claim),
    );
    this.#reading.delete(object);
    if (states) this.learn(object, states);
  }

  learn(object: string, states: readonly AccountState[]): void {
    if (this.#known.size > MAX_KNOWN) this.#known.clear();
    for (const state of states) this.#known.set(keyOf(object, state.account), { state, at: this.#now() });
  }

  /** Whether nothing was reported of the account in this minute. */
  isFirstInMinute({ object, claim }: Account): boolean {
    const key = keyOf(object, claim.account);
    const minute = Math.floor(this.#now() / 60_000);
    if (this.#reported.get(key) === minute) return false;
    if (this.#reported.size > MAX_KNOWN) this.#reported.clear();
    this.#reported.set(key, minute);
    return true;
  }

  /** Adds a charge. @returns the list with it where the caller delivers it, with what others add until it is closed. */
  add(object: string, settlement: Settlement): readonly Settlement[] | null {
    const waiting = this.#waiting.get(object);
    const charges = settlement.charges.length;
    if (waiting && waiting.list.length < MAX_GATHERED && waiting.charges + charges <= MAX_CHARGES) {
      waiting.list.push(settlement);
      waiting.charges += charges;
      return null;
    }
    const list = [settlement];
    this.#waiting.set(object, { list, charges });
    return list;
  }

  /** Nothing is added to the list any more. */
  close(object: string, list: readonly Settlement[]): void {
    if (this.#waiting.get(object)?.list === list) this.#waiting.delete(object);
  }
}

const keyOf = (object: string, account: string): string => `${object} ${account}`;
