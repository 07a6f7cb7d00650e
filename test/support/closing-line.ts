import type { Reporter, TestCase } from "vitest/node";

/** Closes a run with one plain line that anything reading its output can count by. */
export default class ClosingLine implements Reporter {
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state !== "pending") this.#counts[state] += 1;
  }

  onTestRunEnd(_modules: unknown, errors: readonly unknown[]): void {
    const { passed, failed, skipped } = this.#counts;
    console.log(`\ntests: ${passed} passed, ${failed + errors.length} failed, ${skipped} skipped`);
  }
}
