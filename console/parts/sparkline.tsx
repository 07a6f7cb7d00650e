/** A trend in the height of a line of text. The numbers are beside it. */
import type { VNode } from "preact";

const WIDTH = 96;
const HEIGHT = 20;

type Props = { readonly values: readonly number[]; readonly label: string };

export function Sparkline({ values, label }: Props): VNode {
  const top = Math.max(...values, 0);
  const step = WIDTH / Math.max(values.length, 1);
  return (
    <svg
      class="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={label}
    >
      {values.map((value, at) => {
        const height = top === 0 ? 0 : Math.max((value / top) * HEIGHT, value > 0 ? 1.5 : 0);
        return (
          <rect
            key={at}
            x={at * step}
            y={HEIGHT - height}
            width={Math.max(step - 0.6, 0.6)}
            height={height}
          />
        );
      })}
    </svg>
  );
}
