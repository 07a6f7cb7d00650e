/** Single figures with their units. */
import type { ComponentChildren, VNode } from "preact";
import { formatCompact, formatCount, formatDollars, formatDuration } from "../text/format.ts";
import { NOT_KNOWN } from "./links.tsx";

export function Count({ value }: { readonly value: number | null | undefined }): VNode {
  if (value == null) return NOT_KNOWN;
  return <span title={formatCount(value)}>{formatCompact(value)}</span>;
}

/** Millionths of a dollar. */
export function Dollars({ micros }: { readonly micros: number | null | undefined }): VNode {
  if (micros == null) return NOT_KNOWN;
  return <span title={`$${micros / 1_000_000}`}>{formatDollars(micros)}</span>;
}

export function Duration({ ms }: { readonly ms: number | null | undefined }): VNode {
  return ms == null ? NOT_KNOWN : <span title={`${ms} ms`}>{formatDuration(ms)}</span>;
}

/** A sum of costs; the calls without a price are named beside it, since they add nothing to it. */
export function Cost({ micros, unpriced }: { readonly micros: number; readonly unpriced: number }): VNode {
  return (
    <>
      <Dollars micros={micros} />
      {unpriced > 0 && (
        <span class="muted unpriced" title="Calls without a known price add nothing to the sum">
          {" "}
          + {formatCount(unpriced)} unpriced
        </span>
      )}
    </>
  );
}

/** Figures with their names: a list of terms. */
export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [name: string, value: ComponentChildren])[];
}): VNode {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

type TokensProps = {
  readonly input: number | null;
  readonly output: number | null;
  /** Whether calls without token figures are among those that are summed. */
  readonly isIncomplete?: boolean;
};

/** Tokens in and out in one column. A sum that knows no figure is not zero. */
export function Tokens({ input, output, isIncomplete = false }: TokensProps): VNode {
  if (isIncomplete && !input && !output) return NOT_KNOWN;
  return (
    <>
      <Count value={input} /> <span class="muted">/</span> <Count value={output} />
      {isIncomplete && (
        <span class="muted" title="Some calls have no token figures and add nothing to the sum">
          {" "}
          incomplete
        </span>
      )}
    </>
  );
}

type InputTokens<T> = {
  readonly input_tokens: T;
  readonly cache_read_input_tokens: T;
  readonly cache_write_input_tokens: T;
};

/** The input that a provider counted, cached tokens included. */
export const inputOf = (row: InputTokens<number>): number =>
  row.input_tokens + row.cache_read_input_tokens + row.cache_write_input_tokens;

/** The same of one call; null where the provider reported none. */
export const inputOfCall = (row: InputTokens<number | null>): number | null =>
  row.input_tokens === null
    ? null
    : row.input_tokens + (row.cache_read_input_tokens ?? 0) + (row.cache_write_input_tokens ?? 0);
