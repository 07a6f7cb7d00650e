/** How a request ended, with its meaning. */
import type { VNode } from "preact";
import { meaningIn } from "../text/meaning.ts";
import { visibleText } from "../text/visible.ts";
import { LEDGER_OUTCOMES } from "../../src/events/ledger-outcomes.ts";

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
      title={meaningIn(LEDGER_OUTCOMES, word)}
    >
      {visibleText(word.replaceAll("_", " ")).slice(0, 60)}
      {!isGood && status !== null && `, status ${status}`}
      {error !== null && error !== "" && <span class="muted"> {visibleText(error).slice(0, 60)}</span>}
    </span>
  );
}
