/** A command to copy. */
import type { VNode } from "preact";
import { CopyButton } from "./copy.tsx";

export const GATEWAY = "https://<host of the gateway>";

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

/** On this machine the console shares the gateway's host. */
const isLocal = (): boolean => ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

/** A first request, for a ledger without any. */
export const firstRequest = (): string =>
  `curl ${isLocal() ? location.origin : GATEWAY}/team-openai/v1/chat/completions \\
  -H "Authorization: Bearer <client key>" \\
  -H "Content-Type: application/json" \\
  -d '{"model":"gpt-5.1","messages":[{"role":"user","content":"Hello there"}]}'`;
