/** Seals: the last checkpoint, verified in this browser with the log's public key, and the proofs of a request or an event. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useApi, type Loaded } from "../api/use-api.ts";
import type { Checkpoint } from "../api/types.ts";
import { Page } from "../app/page.tsx";
import { CsvButton } from "../parts/csv-link.tsx";
import { Facts } from "../parts/figures.tsx";
import { Empty, Loadable } from "../parts/states.tsx";
import { Verdict } from "../parts/verdict.tsx";
import { formatCount } from "../text/format.ts";
import { LongText } from "../text/text.tsx";
import { formatAge, Time } from "../text/time.tsx";
import { EventProof } from "./event-proof.tsx";
import type { VerifierKey } from "../verify/note.ts";
import { checkLog, type LogCheck } from "./seal-check.ts";
import { useVerifierKey, VerifierKeyForm } from "./verifier-key.tsx";

export function Seals(): VNode {
  const checkpoint = useApi("/checkpoint", {});
  const entered = useVerifierKey();
  const isOff =
    checkpoint.error?.reason === "seals_off" || checkpoint.error?.reason === "checkpoint_not_found";
  return (
    <Page
      title="Seals"
      about="A signed, append-only log over all events. With the log's public key this browser verifies it, and trusts neither the server nor its database."
    >
      {isOff ? (
        <NoSeals loaded={checkpoint} />
      ) : (
        <>
          <Loadable of={checkpoint} what="the last checkpoint" height={260}>
            {(data) => <LastCheckpoint data={data} verifierKey={entered.key} />}
          </Loadable>
          <VerifierKeyForm entered={entered} checkpoint={checkpoint.data} />
          <EventProof verifierKey={entered.key} />
        </>
      )}
    </Page>
  );
}

function NoSeals({ loaded }: { readonly loaded: Loaded<Checkpoint> }): VNode {
  return loaded.error?.reason === "seals_off" ? (
    <Empty title="Seals are off.">
      <p>
        Create a key pair with <code>npm run -s keys -- seal --origin &lt;name&gt;</code>, store{" "}
        <code>SEAL_KEY</code>, and set <code>SEALS.origin</code>.
      </p>
    </Empty>
  ) : (
    <Empty title="There is no checkpoint yet.">
      <p>The records Worker signs one within a minute of the first event.</p>
      <button type="button" onClick={loaded.reload}>
        Look again
      </button>
    </Empty>
  );
}

type LastProps = { readonly data: Checkpoint; readonly verifierKey: VerifierKey | null };

function LastCheckpoint({ data, verifierKey }: LastProps): VNode {
  const [check, setCheck] = useState<LogCheck | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const verify = async (): Promise<void> => {
    if (verifierKey === null) return;
    setIsBusy(true);
    setCheck(await checkLog(data, verifierKey));
    setIsBusy(false);
  };
  return (
    <section class="card" aria-labelledby="checkpoint-title">
      <h2 id="checkpoint-title">Last checkpoint</h2>
      <Facts
        facts={[
          [
            "Signed",
            <>
              <Time at={data.signed_at} /> <span class="muted">{formatAge(data.signed_at, Date.now())}</span>
            </>,
          ],
          ["Entries in the log", formatCount(data.tree_size)],
        ]}
      />
      <LongText value={data.checkpoint} label="Checkpoint" />
      <p class="buttons">
        <button type="button" class="primary" onClick={verify} disabled={verifierKey === null || isBusy}>
          Verify in this browser
        </button>
        <CsvButton
          name="checkpoint"
          rows={() => [
            ["signed_at", "tree_size", "checkpoint"],
            [data.signed_at, data.tree_size, data.checkpoint],
          ]}
        />
        {verifierKey === null && <span class="muted">Enter a valid verifier key below first.</span>}
      </p>
      <div role="status">{check !== null && check.map((line) => <Verdict key={line.text} {...line} />)}</div>
    </section>
  );
}
