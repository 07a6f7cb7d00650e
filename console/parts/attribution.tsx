/** The evidence for an initiator, with its meaning in one line. */
import type { VNode } from "preact";
import { meaningIn } from "../text/meaning.ts";
import { visibleText } from "../text/visible.ts";
import { ATTRIBUTIONS } from "../../src/events/vocabulary.ts";

/** Strongest first. */
export const ATTRIBUTION_WORDS = Object.keys(ATTRIBUTIONS) as readonly (keyof typeof ATTRIBUTIONS)[];

export const meaningOf = (word: string): string =>
  Object.hasOwn(ATTRIBUTIONS, word)
    ? meaningIn(ATTRIBUTIONS, word)
    : "a word that this version of the console does not know";

type Props = {
  readonly word: string;
  /** Whether several attributions are summed; `word` is then the weakest. */
  readonly isMixed?: boolean;
};

export function Attribution({ word, isMixed = false }: Props): VNode {
  const shown = visibleText(word).slice(0, 60);
  return (
    <span class={`attribution ${Object.hasOwn(ATTRIBUTIONS, word) ? word : ""}`} title={meaningOf(word)}>
      {isMixed ? `weakest: ${shown}, mixed` : shown}
    </span>
  );
}

/** The words with their meanings, for a page that counts by them. */
export function AttributionWords(): VNode {
  return (
    <details class="words">
      <summary>What the words mean</summary>
      <dl>
        {ATTRIBUTION_WORDS.map((word) => (
          <div key={word}>
            <dt>
              <Attribution word={word} />
            </dt>
            <dd>{meaningOf(word)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
