/** The result of one verification. */
import type { VNode } from "preact";
import { Text } from "../text/text.tsx";

type Props = {
  readonly isGood: boolean | null;
  readonly text: string;
  /** In place of "Verified", "Failed" or "Note". */
  readonly word?: string;
};

export function Verdict({ isGood, text, word = wordFor(isGood) }: Props): VNode {
  return (
    <p class={`verdict ${isGood === null ? "open" : isGood ? "good" : "bad"}`}>
      <strong>{word}:</strong> <Text value={text} max={600} />
    </p>
  );
}

const wordFor = (isGood: boolean | null): string =>
  isGood === null ? "Note" : isGood ? "Verified" : "Failed";
