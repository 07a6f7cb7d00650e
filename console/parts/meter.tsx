/** How much of a limit is used. */
import type { VNode } from "preact";
import { formatShare } from "../text/format.ts";

type Props = { readonly used: number; readonly limit: number; readonly label: string };

const WARN_AT = 0.8;

export function Meter({ used, limit, label }: Props): VNode {
  const share = limit > 0 ? used / limit : used > 0 ? 1 : 0;
  const level = share >= 1 ? "spent" : share >= WARN_AT ? "near" : "";
  return (
    <span class="meter-line">
      <span
        class={`meter ${level}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(Math.round(share * 100), 100)}
      >
        <span style={{ width: `${Math.min(share, 1) * 100}%` }} />
      </span>
      <span class="muted">{formatShare(share)}</span>
    </span>
  );
}
