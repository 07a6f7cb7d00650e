/** The proof that one event is sealed. The event's id is in the address, so that a request links to it. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useApi } from "../api/use-api.ts";
import type { Proof } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Facts } from "../parts/figures.tsx";
import { Loadable } from "../parts/states.tsx";
import { Verdict } from "../parts/verdict.tsx";
import { formatCount } from "../text/format.ts";
import { LongText } from "../text/text.tsx";
import { checkEvent, type LogCheck } from "./seal-check.ts";

export function EventProof({ verifierKey }: { readonly verifierKey: string }): VNode {
  const query = usePageQuery();
  const event = query.get("event");
  const proof = useApi("/proof/{event_id}", event === null ? null : { event_id: event });
  const submit = (submitted: Event): void => {
    submitted.preventDefault();
    const id = String(new FormData(submitted.currentTarget as HTMLFormElement).get("event") ?? "").trim();
    query.set({ event: id === "" ? null : id });
  };
  return (
    <section class="card" aria-labelledby="proof-title">
      <h2 id="proof-title">Proof of an event</h2>
      <form onSubmit={submit} class="inline" key={event}>
        <label for="event-id">Event id</label>
        <input id="event-id" name="event" defaultValue={event ?? ""} spellcheck={false} autocomplete="off" />
        <button type="submit">Get the proof</button>
      </form>
      <p class="muted">The page of a request links to the proofs of its start and its end.</p>
      {event !== null && (
        <Loadable of={proof} what="the proof" height={160}>
          {(data) => <ProofView key={data.event_id} proof={data} verifierKey={verifierKey} />}
        </Loadable>
      )}
    </section>
  );
}

function ProofView({ proof, verifierKey }: { readonly proof: Proof; readonly verifierKey: string }): VNode {
  const [check, setCheck] = useState<LogCheck | null>(null);
  const verify = async (): Promise<void> => setCheck(await checkEvent(proof, verifierKey));
  return (
    <>
      <Facts
        facts={[
          ["Entry", formatCount(proof.leaf_index)],
          ["Tree", `${formatCount(proof.tree_size)} entries`],
          [
            "The server says",
            proof.is_intact ? "the row is what was sealed" : "the row is not what was sealed",
          ],
        ]}
      />
      <p class="buttons">
        <button type="button" class="primary" onClick={verify} disabled={verifierKey === ""}>
          Verify in this browser
        </button>
        {verifierKey === "" && <span class="muted">Enter the verifier key above first.</span>}
      </p>
      <div role="status">{check !== null && check.map((line) => <Verdict key={line.text} {...line} />)}</div>
      {proof.entry !== null && (
        <details>
          <summary>The sealed entry</summary>
          <LongText value={proof.entry} label="Sealed entry" />
        </details>
      )}
    </>
  );
}
