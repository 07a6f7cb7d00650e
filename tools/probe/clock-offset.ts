/** The difference between two clocks, from round trips (as NTP, RFC 5905 §8). */

export type Offset = {
  /** The other clock minus this one, in milliseconds. */
  readonly ms: number;
  /** Half the shortest round trip: the largest possible error. */
  readonly errorMs: number;
};

export type RoundTrip = {
  readonly sentAt: number;
  /** By the other clock. */
  readonly remoteAt: number;
  readonly receivedAt: number;
};

/** From the shortest round trip: its bound is the narrowest. */
export function offsetOf(trips: readonly RoundTrip[]): Offset {
  const [first, ...others] = trips.map(({ sentAt, remoteAt, receivedAt }) => ({
    ms: remoteAt - (sentAt + receivedAt) / 2,
    errorMs: (receivedAt - sentAt) / 2,
  }));
  if (first === undefined) throw new Error("no round trip was measured");
  return others.reduce((best, one) => (one.errorMs < best.errorMs ? one : best), first);
}
