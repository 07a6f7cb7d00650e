/** Runs one target over so many cases, and makes each finding as small as it can be made. */
import { randomFor } from "./random.ts";
import type { Finding, Result, Target, Verdict } from "./target.ts";

export type Span = {
  readonly seed: number;
  /** The first case's number; a finding's is enough to see it again. */
  readonly from: number;
  readonly cases: number;
  /** After so many findings a target is given up: they are likely one. */
  readonly maxFindings: number;
};

/** So many smaller cases are tried for one finding. */
const MAX_TRIES = 20_000;

export async function runTarget<Case>(target: Target<Case>, span: Span): Promise<Result> {
  const { seed, from, cases, maxFindings } = span;
  const sorts = new Map<string, number>();
  const findings: Finding[] = [];
  let at = from;
  for (; at < from + cases && findings.length < maxFindings; at += 1) {
    const one = target.generate(randomFor(seed, at));
    const judged = judge(target, one);
    // Most targets answer at once: a turn of the loop for each of a million cases would cost more than the case.
    const { wrong, sort } = judged instanceof Promise ? await judged : judged;
    for (const [name, count] of typeof sort === "string" ? [[sort, 1] as const] : sort)
      sorts.set(name, (sorts.get(name) ?? 0) + count);
    if (wrong === null) continue;
    const smallest = await minimise(target, one);
    findings.push({ target: target.name, seed, at, wrong, smallest });
  }
  return { target: target.name, cases: at - from, sorts, findings };
}

const thrown = (error: unknown): Verdict => ({
  wrong: `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  sort: "thrown",
});

function judge<Case>(target: Target<Case>, one: Case): Verdict | Promise<Verdict> {
  try {
    const verdict = target.check(one);
    return verdict instanceof Promise ? verdict.catch(thrown) : verdict;
  } catch (error) {
    return thrown(error);
  }
}

/** Takes the first smaller case that is still wrong, again and again, until none is. */
async function minimise<Case>(target: Target<Case>, first: Case): Promise<string> {
  let smallest = first;
  let { wrong } = await judge(target, first);
  let tries = 0;
  for (let found = true; found && tries < MAX_TRIES;) {
    found = false;
    for (const candidate of target.smaller(smallest)) {
      if ((tries += 1) > MAX_TRIES) break;
      const verdict = await judge(target, candidate);
      if (verdict.wrong === null) continue;
      smallest = candidate;
      wrong = verdict.wrong;
      found = true;
      break;
    }
  }
  return `${wrong ?? "not seen a second time"}\n${target.show(smallest)}`;
}
