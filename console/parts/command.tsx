/** A command to copy. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";

export function Command({ text, label }: { readonly text: string; readonly label: string }): VNode {
  const [result, setResult] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setResult("Copied"),
      () => setResult("Select the text and copy it"),
    );
  };
  return (
    <div class="command">
      <pre tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <button type="button" onClick={copy}>
        Copy
      </button>
      <span role="status" class="muted">
        {result}
      </span>
    </div>
  );
}

/** A first request, for a ledger without any. */
export const FIRST_REQUEST = (host: string): string =>
  `curl ${host}/team-openai/v1/chat/completions \\
  -H "Authorization: Bearer <client key>" \\
  -H "Content-Type: application/json" \\
  -d '{"model":"gpt-5.1","messages":[{"role":"user","content":"Hello there"}]}'`;
