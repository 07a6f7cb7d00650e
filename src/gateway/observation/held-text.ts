/**
 * A bound on the text that all responses of an isolate hold until it can be read: large JSON bodies, and large events of
 * event streams. The isolate's 128 MB are shared by all of its requests.
 *
 * Past the bound, the text that has not grown for the longest time is dropped. That is the text of the slowest client, or of
 * a request that the platform ended without running its `finally` blocks. So the sum stays true, and no request is refused.
 */

/** Received bytes. In memory they take up to twice as much, because V8 stores a text beyond Latin-1 in two bytes a unit. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

export type HeldText = {
  /** The text now has `bytes`. 0 if it is no longer held. */
  readonly set: (bytes: number) => void;
};

export type TextBudget = {
  /**
   * @param limit The largest size of this text. One text is never dropped for its own size.
   * @param onDrop Discards the text. It is called from other requests, so it must not do I/O.
   */
  readonly hold: (limit: number, onDrop: () => void) => HeldText;
};

export function createTextBudget(maxBytes: number): TextBudget {
  type Holder = { bytes: number; readonly onDrop: () => void };
  /** From the one that grew the longest time ago to the latest. */
  const holders = new Set<Holder>();
  let total = 0;

  const set = (holder: Holder, bytes: number): void => {
    total += bytes - holder.bytes;
    holder.bytes = bytes;
    holders.delete(holder);
    if (bytes > 0) holders.add(holder);
  };

  return {
    hold: (limit, onDrop) => {
      const own: Holder = { bytes: 0, onDrop };
      const max = Math.max(limit, maxBytes);
      return {
        set: (bytes) => {
          set(own, bytes);
          for (const oldest of holders) {
            if (total <= max) break;
            set(oldest, 0);
            oldest.onDrop();
          }
        },
      };
    },
  };
}

/** The budget of this isolate. */
export const TEXT_BUDGET = createTextBudget(MAX_HELD_BYTES);
