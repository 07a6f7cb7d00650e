/**
 * The proofs that a request or one event is in the log. The id is in the page's address, so that the page of a request links
 * here. A proof belongs to the last checkpoint at the time when the API returned it, and is verified in this browser.
 */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { asObject, parseObject } from "../../src/shared/json.ts";
import { useApi } from "../api/use-api.ts";
import type { Proof } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Facts } from "../parts/figures.tsx";
import { InterceptionLink } from "../parts/links.tsx";
import { Loadable } from "../parts/states.tsx";
import { Verdict } from "../parts/verdict.tsx";
import { formatCount } from "../text/format.ts";
import { LongText } from "../text/text.tsx";
import type { VerifierKey } from "../verify/note.ts";
import { eventIdOf, isId } from "./ids.ts";
import { checkEvent, type LogCheck } from "./seal-check.ts";

type KeyProps = { readonly verifierKey: VerifierKey | null };

export function EventProof({ verifierKey }: KeyProps): VNode {
  const query = usePageQuery();
  const [named, event] = [idIn(query.get("request")), idIn(query.get("event"))];
  const request = named !== null && isRequestId(named) ? named : null;
  return (
    <section class="card" aria-labelledby="proof-title">
      <h2 id="proof-title">{request === null ? "Proof of an event" : "Proofs of a request"}</h2>
      <IdForm
        key={request ?? event}
        value={request ?? event ?? ""}
        onSubmit={(id) =>
          query.set(isRequestId(id) ? { request: id, event: null } : { request: null, event: id })
        }
      />
      {request !== null && (
        <>
          <p>
            Of the request <InterceptionLink id={request} />
          </p>
          <OneProof id={eventIdOf(request, "interception_start")} what="start" verifierKey={verifierKey} />
          <OneProof id={eventIdOf(request, "interception_end")} what="end" verifierKey={verifierKey} />
        </>
      )}
      {request === null && event !== null && isEventId(event) && (
        <OneProof id={event} verifierKey={verifierKey} />
      )}
    </section>
  );
}

/** An id that was copied has blanks around it, or capitals, where its source had them. */
const idIn = (text: string | null): string | null => text?.trim().toLowerCase() ?? null;

/** An interception's id is a UUID of version 7, an event's one of version 8. */
const isRequestId = (id: string): boolean => isId(id) && id[14] === "7";
const isEventId = (id: string): boolean => isId(id) && id[14] === "8";

type FormProps = { readonly value: string; readonly onSubmit: (id: string) => void };

function IdForm({ value, onSubmit }: FormProps): VNode {
  const [issue, setIssue] = useState<string | null>(null);
  const submit = (submitted: Event): void => {
    submitted.preventDefault();
    const form = new FormData(submitted.currentTarget as HTMLFormElement);
    const id = idIn(String(form.get("id"))) ?? "";
    const isKnown = isRequestId(id) || isEventId(id);
    setIssue(
      isKnown
        ? null
        : "This is not the id of a request or an event: a UUID of version 7 or 8, with 36 characters.",
    );
    if (isKnown) onSubmit(id);
  };
  return (
    <form onSubmit={submit}>
      <label for="proof-id">Id of a request or an event</label>
      <div class="inline">
        <input
          id="proof-id"
          name="id"
          defaultValue={value}
          spellcheck={false}
          autocomplete="off"
          aria-describedby="proof-id-issue proof-id-help"
          aria-invalid={issue !== null}
        />
        <button type="submit">Get the proof</button>
      </div>
      <p id="proof-id-issue" class="error-text" role="alert">
        {issue}
      </p>
      <p id="proof-id-help" class="muted">
        The id at the top of a request's page, or the header <code>x-interception-id</code> of the response to
        an intercepted request. Such a request has two events, its start and its end.
      </p>
    </form>
  );
}

type OneProps = KeyProps & { readonly id: string; readonly what?: "start" | "end" };

function OneProof({ id, what, verifierKey }: OneProps): VNode {
  const proof = useApi("/proof/{event_id}", { event_id: id });
  return (
    <>
      {what !== undefined && <h3>{what === "start" ? "Its start" : "Its end"}</h3>}
      <Loadable of={proof} what={what === undefined ? "the proof" : `the proof of its ${what}`} height={160}>
        {(data) => (
          <ProofView
            key={data.event_id}
            proof={data}
            verifierKey={verifierKey}
            action={what === undefined ? "Verify in this browser" : `Verify the ${what} in this browser`}
          />
        )}
      </Loadable>
      {what === undefined && proof.data?.entry != null && <RequestOf entry={proof.data.entry} />}
    </>
  );
}

/** The entry names the request to which the event belongs; an entry of the log itself names none. */
function RequestOf({ entry }: { readonly entry: string }): VNode | null {
  const id = asObject(parseObject(entry)?.["fields"])?.["interception_id"];
  if (typeof id !== "string" || !isRequestId(id)) return null;
  return (
    <p>
      The event names the request <InterceptionLink id={id} />
    </p>
  );
}

type ViewProps = KeyProps & { readonly proof: Proof; readonly action: string };

function ProofView({ proof, verifierKey, action }: ViewProps): VNode {
  const [check, setCheck] = useState<LogCheck | null>(null);
  const verify = async (): Promise<void> => {
    if (verifierKey !== null) setCheck(await checkEvent(proof, verifierKey));
  };
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
        <button type="button" class="primary" onClick={verify} disabled={verifierKey === null}>
          {action}
        </button>
        {verifierKey === null && <span class="muted">Enter a valid verifier key above first.</span>}
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
