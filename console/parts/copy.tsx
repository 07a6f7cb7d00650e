/** Texts to copy. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Text } from "../text/text.tsx";

type CopyProps = {
  readonly text: string;
  /** For screen readers, where several can be copied: what the button copies. */
  readonly name?: string;
};

/** The browser can refuse the clipboard, and then the text has to be selected. */
export function CopyButton({ text, name }: CopyProps): VNode {
  const [result, setResult] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setResult("Copied"),
      () => setResult("Select the text and copy it"),
    );
  };
  return (
    <>
      <button type="button" onClick={copy}>
        Copy
        {name !== undefined && <span class="visually-hidden"> {name}</span>}
      </button>
      <span role="status" class="muted">
        {result}
      </span>
    </>
  );
}

/** An id in full. `name`: what it is the id of. */
export function WholeId({ value, name }: { readonly value: string; readonly name: string }): VNode {
  return (
    <span class="whole-id">
      <code>
        <Text value={value} />
      </code>
      <CopyButton text={value} name={name} />
    </span>
  );
}
