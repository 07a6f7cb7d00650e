/** Runs one target over a range of cases and shrinks each finding. */
import { randomFor } from "./random.ts";
import type { Finding, Result, Target, Verdict } from "./target.ts";

export type Range = {
  readonly seed: number;
  /** The number of the first case. A finding's own number is enough to reproduce it. */
  readonly from: number;
  readonly cases: number;
  /** The run stops after this many findings, because they probably share one cause. */
  readonly maxFindings: number;
};

/** The maximum number of smaller cases that are tried per finding. */
const MAX_TRIES = 20_000;

export async function runTarget<Case>(target: Target<Case>, range: Range): Promise<Result> {
  const { seed, from, cases, maxFindings } = range;
  const categories = new Map<string, number>();
  const findings: Finding[] = [];
  let at = from;
  for (; at < from + cases && findings.length < maxFindings; at += 1) {
    const one = target.generate(randomFor(seed, at));
    const { failure, category } = await check(target, one);
    for (const [name, count] of typeof category === "string" ? [[category, 1] as const] : category)
      categories.set(name, (categories.get(name) ?? 0) + count);
    if (failure === null) continue;
    const smallest = await shrink(target, one);
    findings.push({ target: target.name, seed, at, failure, smallest });
  }
  return { target: target.name, cases: at - from, categories, findings };
}

async function check<Case>(target: Target<Case>, one: Case): Promise<Verdict> {
  try {
    return await target.check(one);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { failure: `threw ${text}`, category: "thrown" };
  }
}

/** Replaces the case with its first smaller case that still fails, until no smaller case fails. */
async function shrink<Case>(target: Target<Case>, first: Case): Promise<string> {
  let smallest = first;
  let { failure } = await check(target, first);
  let tries = 0;
  for (let shrunk = true; shrunk && tries < MAX_TRIES;) {
    shrunk = false;
    for (const candidate of target.smaller(smallest)) {
      if ((tries += 1) > MAX_TRIES) break;
      const verdict = await check(target, candidate);
      if (verdict.failure === null) continue;
      smallest = candidate;
      failure = verdict.failure;
      shrunk = true;
      break;
    }
  }
  return `${failure ?? "did not fail a second time"}\n${target.show(smallest)}`;
}
