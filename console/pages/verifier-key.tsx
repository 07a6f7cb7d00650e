/** The field for the log's verifier key. It says at once what is wrong with the key, and whether it signed the last checkpoint. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Checkpoint } from "../api/types.ts";
import { Text } from "../text/text.tsx";
import { readVerifierKey, verifyCheckpoint, type VerifierKey } from "../verify/note.ts";
import { readStored, store } from "./seal-check.ts";

const STORED = "console-verifier-key";

export type EnteredKey = {
  readonly text: string;
  /** null while the text is empty, not a key, or being read. */
  readonly key: VerifierKey | null;
  /** The reason why the text is not a key. */
  readonly issue: string | null;
  readonly enter: (text: string) => void;
};

const EMPTY = { key: null, issue: null };

export function useVerifierKey(): EnteredKey {
  const [text, setText] = useState(() => readStored(STORED) ?? "");
  const [read, setRead] = useState<Pick<EnteredKey, "key" | "issue">>(EMPTY);
  useEffect(() => {
    let isCurrent = true;
    setRead(EMPTY);
    if (text !== "")
      void readVerifierKey(text).then((key) => {
        if (isCurrent) setRead(typeof key === "string" ? { key: null, issue: key } : { key, issue: null });
      });
    return () => {
      isCurrent = false;
    };
  }, [text]);
  const enter = (next: string): void => {
    setText(next);
    store(STORED, next);
  };
  return { text, ...read, enter };
}

type Props = { readonly entered: EnteredKey; readonly checkpoint: Checkpoint | null };

export function VerifierKeyForm({ entered, checkpoint }: Props): VNode {
  const { text, key, issue, enter } = entered;
  const match = useMatch(key, checkpoint?.checkpoint ?? null);
  return (
    <section class="card" aria-labelledby="verifier-key-title">
      <h2 id="verifier-key-title">The log's public key</h2>
      <label for="verifier-key">Verifier key</label>
      <input
        id="verifier-key"
        value={text}
        spellcheck={false}
        autocomplete="off"
        placeholder="name+0123abcd+base64"
        aria-describedby="verifier-key-state verifier-key-help"
        aria-invalid={issue !== null || typeof match === "string"}
        onInput={(event) => enter(event.currentTarget.value.trim())}
      />
      <div id="verifier-key-state" aria-live="polite">
        {issue !== null && (
          <p class="error-text">
            <Text value={issue} max={600} />
          </p>
        )}
        {key !== null && typeof match === "string" && (
          <p class="error-text">
            <Text value={match} max={600} />
          </p>
        )}
        {key !== null && match === true && (
          <p>
            Valid: the key of <Text value={key.name} max={200} /> signed the last checkpoint.
          </p>
        )}
      </div>
      <p id="verifier-key-help" class="muted">
        The public key that <code>npm run keys -- seal</code> printed; for a local run, <code>npm start</code>{" "}
        prints it. Take it from where you keep it, not from this server. It stays in this browser, with the
        last checkpoint that was verified here.
      </p>
    </section>
  );
}

/** Whether the key signed the checkpoint, or why not; null while that is not known. */
function useMatch(key: VerifierKey | null, note: string | null): true | string | null {
  const [match, setMatch] = useState<true | string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    setMatch(null);
    if (key !== null && note !== null)
      void verifyCheckpoint(note, key).then((head) => {
        if (isCurrent) setMatch(typeof head === "string" ? head : true);
      });
    return () => {
      isCurrent = false;
    };
  }, [key, note]);
  return match;
}
