/** The form that changes the limit of one account. */
import type { VNode } from "preact";
import { useRef, useState } from "preact/hooks";
import { ApiError, post } from "../api/client.ts";
import type { Posts } from "../api/schema.ts";
import type { Account } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { useSession } from "../app/session.tsx";
import { Failure } from "../parts/states.tsx";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { formatAmount } from "./accounts.ts";

type Kind = "set_limit" | "top_up" | "reset";

const KINDS: readonly (readonly [Kind, string])[] = [
  ["set_limit", "Set a limit of its own, until it is changed again"],
  ["top_up", "Add to the limit, for the current period"],
  ["reset", "Remove its own limit: the rule's applies again"],
];

type ChangeProps = { readonly account: Account; readonly onChanged: () => void };

export function BudgetChange({ account, onChanged }: ChangeProps): VNode {
  const { csrf_token: csrf } = useSession();
  const query = usePageQuery();
  const [kind, setKind] = useState<Kind>("set_limit");
  const [result, setResult] = useState<ApiError | Account | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const { idOf, forget } = useChangeId();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const amount = Number(new FormData(form).get("amount") ?? "");
    const change: Body = { ...subjectOf(account), ...changeOf(kind, amount) };
    setIsBusy(true);
    try {
      setResult(await post("/budgets/changes", { ...change, change_id: idOf(change) }, csrf));
      forget();
      // The same amount is not added once more by mistake.
      form.querySelectorAll<HTMLInputElement>("input[name=amount]").forEach((field) => (field.value = ""));
      onChanged();
    } catch (error) {
      setResult(error instanceof ApiError ? error : new ApiError(String(error), { status: 0 }));
    }
    setIsBusy(false);
  };
  return (
    <form class="card change" onSubmit={submit} aria-labelledby="change-title">
      <h2 id="change-title">
        Change <Text value={account.budget} max={60} /> of{" "}
        <Text value={account.subject_name ?? account.subject_id ?? "all calls"} max={60} />
      </h2>
      <p>The limit is {formatAmount(account.measure, account.limit)}.</p>
      <Fields kind={kind} onKind={setKind} measure={account.measure} />
      <p class="buttons">
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? "Saving …" : "Save"}
        </button>
        <a href={query.href({ change: null })}>Close</a>
      </p>
      <Result result={result} />
    </form>
  );
}

/** One id for a change until it has succeeded: a top-up whose response was lost counts once when it is saved again. */
function useChangeId(): { readonly idOf: (change: Body) => string; readonly forget: () => void } {
  const sent = useRef<{ readonly change: string; readonly id: string } | null>(null);
  return {
    idOf: (body) => {
      const change = JSON.stringify(body);
      if (sent.current?.change !== change) sent.current = { change, id: crypto.randomUUID() };
      return sent.current.id;
    },
    forget: () => {
      sent.current = null;
    },
  };
}

type FieldsProps = {
  readonly kind: Kind;
  readonly onKind: (kind: Kind) => void;
  readonly measure: string;
};

function Fields({ kind, onKind, measure }: FieldsProps): VNode {
  return (
    <>
      <fieldset>
        <legend>Change</legend>
        {KINDS.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name="kind"
              value={value}
              checked={kind === value}
              onChange={() => onKind(value)}
            />{" "}
            {label}
          </label>
        ))}
      </fieldset>
      {kind !== "reset" && (
        <label>
          Amount in {visibleText(measure)}
          <input
            name="amount"
            type="number"
            min="0"
            step={measure === "dollars" ? "0.000001" : "1"}
            required
          />
        </label>
      )}
    </>
  );
}

function Result({ result }: { readonly result: ApiError | Account | null }): VNode {
  return (
    <>
      <div role="status">
        {result !== null && !(result instanceof ApiError) && (
          <p>
            Saved. The limit is now {formatAmount(result.measure, result.limit)}. The change was recorded as
            an event.
          </p>
        )}
      </div>
      {result instanceof ApiError && <Failure error={result} title="Could not save the change." />}
    </>
  );
}

type Body = Posts["/budgets/changes"]["body"];

const subjectOf = ({ budget, subject_source: source, subject_id: id }: Account): Body => ({
  budget,
  ...(source === null ? {} : { subject_source: source }),
  ...(id === null ? {} : { subject_id: id }),
});

const changeOf = (kind: Kind, amount: number): Partial<Body> =>
  kind === "top_up" ? { top_up: amount } : { set_limit: kind === "reset" ? null : amount };
