/** A command to copy. */
import type { VNode } from "preact";
import { CopyButton } from "./copy.tsx";

export function Command({ text, label }: { readonly text: string; readonly label: string }): VNode {
  return (
    <div class="command">
      <pre tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <CopyButton text={text} />
    </div>
  );
}

/** A first request, for a ledger without any. */
export const FIRST_REQUEST = (host: string): string =>
  `curl ${host}/team-openai/v1/chat/completions \\
  -H "Authorization: Bearer <client key>" \\
  -H "Content-Type: application/json" \\
  -d '{"model":"gpt-5.1","messages":[{"role":"user","content":"Hello there"}]}'`;
