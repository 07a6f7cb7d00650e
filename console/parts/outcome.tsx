/** How a request ended, with its meaning. */
import type { VNode } from "preact";
import { visibleText } from "../text/visible.ts";
import { LEDGER_OUTCOMES } from "../../src/events/ledger-outcomes.ts";

const MEANINGS: Readonly<Record<string, string>> = LEDGER_OUTCOMES;

type Props = {
  readonly word: string | null;
  readonly status?: number | null;
  readonly error?: string | null;
};

export function Outcome({ word, status = null, error = null }: Props): VNode {
  if (word === null) return <span class="outcome open">open</span>;
  const isGood = word === "completed" || word === "queued";
  return (
    <span
      class={`outcome ${isGood ? "good" : word === "cancelled" ? "neutral" : "bad"}`}
      title={MEANINGS[word]}
    >
      {visibleText(word.replaceAll("_", " ")).slice(0, 60)}
      {!isGood && status !== null && `, status ${status}`}
      {error !== null && error !== "" && <span class="muted"> {visibleText(error).slice(0, 60)}</span>}
    </span>
  );
}
