/** A measurement: one row of the report. Its `measure` sends requests; its `assess` only compares values. */
import type { Context } from "./context.ts";

export type Verdict =
  | { readonly kind: "as assumed" }
  /** `change`: the text or setting that no longer holds, and what to do. */
  | { readonly kind: "differs"; readonly change: string }
  | { readonly kind: "not measured"; readonly why: string }
  /** Measured on a local runtime, which does not behave as the network here. */
  | { readonly kind: "local only" };

export type Finding = {
  /** One line. "–" where nothing was measured. */
  readonly measured: string;
  readonly verdict: Verdict;
};

export const asAssumed = (measured: string): Finding => ({ measured, verdict: { kind: "as assumed" } });
export const differs = (measured: string, change: string): Finding => ({
  measured,
  verdict: { kind: "differs", change },
});
export const notMeasured = (why: string, measured = "–"): Finding => ({
  measured,
  verdict: { kind: "not measured", why },
});

/**
 * - `quick`: before the others and one after another, because times are compared;
 * - `slow`: all at once, because they mostly wait;
 * - `heavy`: last and one after another, because they move many bytes.
 */
export type Phase = "quick" | "slow" | "heavy";

export type Measurement = {
  readonly question: string;
  /** The assumption, with the page that states it. */
  readonly assumed: string;
  readonly phase: Phase;
  /** The largest number of requests that it sends. */
  readonly requests: number;
  readonly run: (context: Context) => Promise<Finding>;
};

export type Definition<T> = Omit<Measurement, "run"> & {
  /** Why it cannot be measured in this run; null where it can. */
  readonly unavailable?: (context: Context) => string | null;
  /** Only Cloudflare's network shows it: a local result gets no verdict. */
  readonly isNetworkOnly?: true;
  readonly measure: (context: Context) => Promise<T>;
  readonly assess: (result: T) => Finding;
};

export function define<T>(definition: Definition<T>): Measurement {
  const { unavailable, isNetworkOnly, measure, assess, ...row } = definition;
  return {
    ...row,
    run: async (context) => {
      const why = unavailable?.(context) ?? null;
      if (why !== null) return notMeasured(why);
      const finding = assess(await measure(context));
      const isLocal = isNetworkOnly === true && context.isLocal && finding.verdict.kind !== "not measured";
      return isLocal ? { ...finding, verdict: { kind: "local only" } } : finding;
    },
  };
}
