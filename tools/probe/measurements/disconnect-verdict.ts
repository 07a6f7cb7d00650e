/** Compares when a disconnect was noticed with docs/limits.md. */
import type { Manner } from "../client/http.ts";
import type { Disconnected } from "../echo/protocol.ts";
import { asAssumed, differs, type Finding } from "../measurement.ts";
import { duration } from "./text.ts";

/** The moment of the disconnect within the response. */
export type State = "before headers" | "pause" | "events";

export type Noticed = {
  readonly manner: Manner;
  /** By this machine's clock. */
  readonly leftAt: number;
  /** The echo's note; null where it noticed nothing until its stream had ended. */
  readonly note: Disconnected | null;
};

export type DisconnectResult = {
  readonly state: State;
  readonly noticed: readonly Noticed[];
  readonly offset: { readonly ms: number; readonly errorMs: number };
};

/** From the earliest to the latest. */
const MOMENTS = ["at once", "later", "with the next bytes", "never"] as const;
type Moment = (typeof MOMENTS)[number];

/** Within this time a disconnect counts as noticed at once. */
const AT_ONCE_MS = 2000;

/**
 * docs/limits.md: a reset is noticed at once, a close while the provider sends. A close before headers or in silence is
 * noticed with the provider's next bytes. Of a stream's cancellation behind Cloudflare's edge nothing is known.
 */
export const assumedMoment = (manner: Manner, state: State): Moment =>
  manner === "reset" || state === "events" ? "at once" : "with the next bytes";

function momentOf({ note }: Noticed, state: State, ms: number): Moment {
  if (note === null) return "never";
  if (note.stage !== state) return "with the next bytes";
  return ms <= AT_ONCE_MS ? "at once" : "later";
}

export function assessDisconnect({ state, noticed, offset }: DisconnectResult): Finding {
  const rows = noticed.map((one) => {
    // A difference of clocks must not show a notice before its cause.
    const ms = Math.max(0, (one.note?.at ?? 0) - offset.ms - one.leftAt);
    const moment = momentOf(one, state, ms);
    const rank = MOMENTS.indexOf(moment) - MOMENTS.indexOf(assumedMoment(one.manner, state));
    return { manner: one.manner, moment, ms, rank };
  });
  const measured = rows
    .map(
      ({ manner, moment, ms }) => `${manner}: ${moment === "never" ? moment : `${moment}, ${duration(ms)}`}`,
    )
    .join("; ");
  const text = `${measured} (± ${duration(offset.errorMs)})`;
  const named = (some: typeof rows): string => some.map(({ manner }) => manner).join(" and ");
  const late = rows.filter(({ rank }) => rank > 0);
  const early = rows.filter(({ rank }) => rank < 0);
  if (late.length > 0)
    return differs(
      text,
      `docs/limits.md must say that ${named(late)} is noticed later; lower LIMITS.idle_ms`,
    );
  if (early.length > 0)
    return differs(text, `docs/limits.md may say that ${named(early)} is noticed earlier`);
  return asAssumed(text);
}
