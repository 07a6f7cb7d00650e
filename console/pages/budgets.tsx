/** Budgets: what the accounts have left, and changes of their limits. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { ApiError, post } from "../api/client.ts";
import type { Posts } from "../api/schema.ts";
import type { Account } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useScope, useSession } from "../app/session.tsx";
import { CsvButton } from "../parts/csv-link.tsx";
import { Elsewhere, GATEWAY, isElsewhere } from "../parts/elsewhere.tsx";
import { Filters, filtersIn } from "../parts/filters.tsx";
import { FilterLink, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { Meter } from "../parts/meter.tsx";
import { Empty, Failure, Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { formatCount } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";
import { accountKey, BUDGET_LIMIT, formatAmount } from "./accounts.ts";

/** The scope that may change budgets. */
const CHANGE_SCOPE = "admin";

export function Budgets(): VNode {
  const query = usePageQuery();
  const budgets = useApi("/budgets", { ...filtersIn(query, "/budgets"), limit: BUDGET_LIMIT });
  const mayChange = useScope(CHANGE_SCOPE);
  const selected = query.get("change");
  return (
    <Page title="Budgets" about="The accounts of each rule with calls in its period, as they are now.">
      {!isElsewhere(budgets.error) && <Filters path="/budgets" />}
      {isElsewhere(budgets.error) ? (
        <Elsewhere
          what="knows the rules of budgets"
          command={`npm run -s report -- budgets --url '${GATEWAY}'`}
        />
      ) : (
        <Loadable of={budgets} what="budgets" height={400}>
          {({ results, results_are_capped }) => {
            const account = results.find((one) => nameOf(one) === selected);
            return results.length === 0 ? (
              <Empty title="No account.">
                <p>
                  A rule of <code>BUDGETS</code> has an account for each subject with calls in the period.
                  Without rules nothing is limited.
                </p>
              </Empty>
            ) : (
              <>
                {account !== undefined && mayChange && (
                  <Change account={account} onChanged={budgets.reload} />
                )}
                <AccountsTable
                  accounts={results}
                  caption="Accounts, the dearest first"
                  mayChange={mayChange}
                />
                <p>
                  <CsvButton name="budgets" rows={() => rowsOf(results)} />
                </p>
                {results_are_capped && (
                  <Note>Only the first {formatCount(results.length)} accounts are shown. Add a filter.</Note>
                )}
                {!mayChange && (
                  <p class="muted">
                    This session may not change budgets: it does not have the scope {CHANGE_SCOPE}.
                  </p>
                )}
              </>
            );
          }}
        </Loadable>
      )}
    </Page>
  );
}

/** Of an account in the address. */
const nameOf = (account: Account): string => `${account.budget} ${accountKey(account)}`;

const rowsOf = (accounts: readonly Account[]): (string | number | null)[][] => [
  [
    "budget",
    "subject_source",
    "subject_id",
    "subject_name",
    "measure",
    "limit",
    "spent",
    "reserved",
    "resets_at",
  ],
  ...accounts.map((one) => [
    one.budget,
    one.subject_source,
    one.subject_id,
    one.subject_name,
    one.measure,
    one.limit,
    one.spent,
    one.reserved,
    one.resets_at,
  ]),
];

type AccountsTableProps = {
  readonly accounts: readonly Account[];
  readonly caption: string;
  readonly mayChange?: boolean;
};

const amountOf =
  (of: (account: Account) => number | null) =>
  (account: Account): VNode | string => {
    const value = of(account);
    return value === null ? NOT_KNOWN : formatAmount(account.measure, value);
  };

export function AccountsTable({ accounts, caption, mayChange = false }: AccountsTableProps): VNode {
  const query = usePageQuery();
  const columns: readonly Column<Account>[] = [
    {
      key: "budget",
      head: "Budget",
      isRowHeader: true,
      cell: (one) => <FilterLink path="/budgets" name="budget" value={one.budget} />,
    },
    { key: "subject", head: "Subject", cell: (one) => <Subject account={one} /> },
    {
      key: "limit",
      head: "Limit",
      isNumber: true,
      cell: amountOf((one) => one.limit),
      sort: (one) => one.limit,
    },
    {
      key: "spent",
      head: "Spent",
      isNumber: true,
      cell: amountOf((one) => one.spent),
      sort: (one) => one.spent ?? 0,
    },
    { key: "reserved", head: "Reserved", isNumber: true, cell: amountOf((one) => one.reserved) },
    {
      key: "used",
      head: "Used",
      cell: (one) => (
        <Meter
          used={(one.spent ?? 0) + (one.reserved ?? 0)}
          limit={one.limit}
          label={`Used of ${visibleText(one.budget).slice(0, 60)}`}
        />
      ),
      sort: (one) => ((one.spent ?? 0) + (one.reserved ?? 0)) / (one.limit || 1),
    },
    {
      key: "period",
      head: "Period",
      cell: (one) => <Text value={`${one.measure} per ${one.period}${one.hard ? "" : ", warns only"}`} />,
    },
    { key: "resets", head: "Resets", cell: (one) => <Time at={one.resets_at} /> },
  ];
  const change: Column<Account> = {
    key: "change",
    head: "Change",
    cell: (one) => (
      <a
        href={query.href({ change: nameOf(one) })}
        aria-label={`Change ${visibleText(one.budget).slice(0, 60)} of ${visibleText(one.subject_name ?? one.subject_id ?? "all calls").slice(0, 60)}`}
      >
        Change
      </a>
    ),
  };
  return (
    <Table
      caption={caption}
      columns={mayChange ? [...columns, change] : columns}
      rows={accounts}
      rowKey={nameOf}
    />
  );
}

function Subject({ account }: { readonly account: Account }): VNode {
  const { subject_kind: kind, subject_source: source, subject_id: id, subject_name: name } = account;
  if (id === null) return <span>all calls</span>;
  if (kind === "principal") return <Principal id={id} source={source} name={name} />;
  return (
    <span>
      <Text value={id} />{" "}
      <span class="muted">
        <Text value={kind} />
      </span>
    </span>
  );
}

type Kind = "set_limit" | "top_up" | "reset";

const KINDS: readonly (readonly [Kind, string])[] = [
  ["set_limit", "Set a limit of its own, until it is changed again"],
  ["top_up", "Add to the limit, for the current period"],
  ["reset", "Remove its own limit: the rule's applies again"],
];

function Change({
  account,
  onChanged,
}: {
  readonly account: Account;
  readonly onChanged: () => void;
}): VNode {
  const { csrf_token: csrf } = useSession();
  const query = usePageQuery();
  const [kind, setKind] = useState<Kind>("set_limit");
  const [result, setResult] = useState<ApiError | Account | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const amount = Number(new FormData(event.currentTarget as HTMLFormElement).get("amount") ?? "");
    setIsBusy(true);
    try {
      setResult(await post("/budgets/changes", { ...subjectOf(account), ...changeOf(kind, amount) }, csrf));
      onChanged();
    } catch (error) {
      setResult(error instanceof ApiError ? error : new ApiError(String(error), { status: 0 }));
    }
    setIsBusy(false);
  };
  const unit = account.measure === "dollars" ? "dollars" : account.measure;
  return (
    <form class="card change" onSubmit={submit} aria-labelledby="change-title">
      <h2 id="change-title">
        Change <Text value={account.budget} max={60} /> of{" "}
        <Text value={account.subject_name ?? account.subject_id ?? "all calls"} max={60} />
      </h2>
      <fieldset>
        <legend>Change</legend>
        {KINDS.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name="kind"
              value={value}
              checked={kind === value}
              onChange={() => setKind(value)}
            />{" "}
            {label}
          </label>
        ))}
      </fieldset>
      {kind !== "reset" && (
        <label>
          Amount in {visibleText(unit)}
          <input name="amount" type="number" min="0" step={unit === "dollars" ? "0.000001" : "1"} required />
        </label>
      )}
      <p class="buttons">
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? "Saving …" : "Save"}
        </button>
        <a href={query.href({ change: null })}>Close</a>
      </p>
      <div role="status">
        {result !== null && !(result instanceof ApiError) && (
          <p>
            Saved. The limit is now {formatAmount(result.measure, result.limit)}. The change is an event on
            record.
          </p>
        )}
      </div>
      {result instanceof ApiError && <Failure error={result} what="the change" />}
    </form>
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
