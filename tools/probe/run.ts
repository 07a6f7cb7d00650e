/** Runs the measurements of a plan phase by phase, within its bounds. */
import { sentenceOf } from "../local/start-failure.ts";
import type { Context } from "./context.ts";
import { notMeasured, type Finding, type Measurement, type Phase } from "./measurement.ts";

export type Row = { readonly measurement: Measurement; readonly finding: Finding };

export type RunOptions = {
  /** Aborts when the plan's time is over, or the command is interrupted. */
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/** @returns the rows in the order of the measurements. A measurement that fails is one that was not measured. */
export async function runMeasurements(
  measurements: readonly Measurement[],
  context: Context,
  { signal, onProgress }: RunOptions,
): Promise<readonly Row[]> {
  const findings = new Map<Measurement, Finding>();
  const runOne = async (measurement: Measurement): Promise<void> => {
    const finding = await find(measurement, context, signal);
    findings.set(measurement, finding);
    onProgress(`${findings.size}/${measurements.length} ${measurement.question} ${finding.verdict.kind}`);
  };
  const inPhase = (phase: Phase): readonly Measurement[] =>
    measurements.filter((measurement) => measurement.phase === phase);
  for (const measurement of inPhase("quick")) await runOne(measurement);
  await Promise.all(inPhase("slow").map(runOne));
  for (const measurement of inPhase("heavy")) await runOne(measurement);
  return measurements.map((measurement) => ({
    measurement,
    finding: findings.get(measurement) ?? notMeasured("it did not run"),
  }));
}

async function find(measurement: Measurement, context: Context, signal: AbortSignal): Promise<Finding> {
  try {
    signal.throwIfAborted();
    return await measurement.run(context);
  } catch (error) {
    return notMeasured(signal.aborted ? "the probe was stopped, or its time was over" : sentenceOf(error));
  }
}
