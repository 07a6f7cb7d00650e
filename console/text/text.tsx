/** Recorded text, shown as text: never markup, never a link, with invisible characters marked. */
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { formatCount } from "./format.ts";
import { piecesOf, visibleText } from "./visible.ts";

/** Of an id or a name. Longer ones are cut, and say so. */
const MAX_NAME = 200;
/** Of a prompt at first, and with each further click: a megabyte at once would block the page. */
const FIRST_BLOCK = 4000;
const NEXT_BLOCK = 50_000;

function Pieces({ value, lines }: { readonly value: string; readonly lines: boolean }): VNode {
  return (
    <>
      {piecesOf(value, lines).map(({ text, mark }, at) =>
        mark === null ? (
          text
        ) : (
          <span key={at} class="mark" title={mark}>
            {text}
          </span>
        ),
      )}
    </>
  );
}

/** One line of recorded text: a name, an id, a model. It cannot reorder the text around it. */
export function Text({ value, max = MAX_NAME }: { readonly value: string; readonly max?: number }): VNode {
  const cut = value.length > max;
  return (
    <bdi class="text" title={cut ? `${formatCount(value.length)} characters` : undefined}>
      <Pieces value={cut ? value.slice(0, max) : value} lines={false} />
      {cut && <span class="muted"> … {formatCount(value.length)} characters</span>}
    </bdi>
  );
}

type LongTextProps = {
  /** null: the session may not read it, or it is not recorded. */
  readonly value: string | null;
  readonly label: string;
};

/** A text of several lines: a prompt, a tool's input, a thought. */
export function LongText({ value, label }: LongTextProps): VNode {
  const [shown, setShown] = useState(FIRST_BLOCK);
  if (value === null) return <p class="muted">Not recorded, or hidden.</p>;
  const rest = value.length - shown;
  return (
    <div class="long-text">
      {/* What scrolls must be reachable by keyboard. No landmark: a session has many of them. */}
      <pre dir="auto" tabIndex={0} role="group" aria-label={visibleText(label)}>
        <Pieces value={value.slice(0, shown)} lines />
      </pre>
      {rest > 0 && (
        <button type="button" class="quiet" onClick={() => setShown(shown + NEXT_BLOCK)}>
          Show {formatCount(Math.min(rest, NEXT_BLOCK))} more of {formatCount(value.length)} characters
        </button>
      )}
    </div>
  );
}
