/** The result of one verification. */
import type { VNode } from "preact";
import { Text } from "../text/text.tsx";

type Props = { readonly isGood: boolean | null; readonly text: string };

export function Verdict({ isGood, text }: Props): VNode {
  const word = isGood === null ? "Note" : isGood ? "Verified" : "Failed";
  return (
    <p class={`verdict ${isGood === null ? "open" : isGood ? "good" : "bad"}`}>
      <strong>{word}:</strong> <Text value={text} max={600} />
    </p>
  );
}
