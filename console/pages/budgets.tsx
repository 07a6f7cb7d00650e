/** Budgets: what the accounts have left, and changes of their limits. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Account } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useScope } from "../app/session.tsx";
import { GATEWAY } from "../parts/command.tsx";
import { CsvButton } from "../parts/csv-link.tsx";
import { Elsewhere, isElsewhere } from "../parts/elsewhere.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { Empty, Loadable, Note } from "../parts/states.tsx";
import { formatCount } from "../text/format.ts";
import { AccountsTable, nameOf } from "./accounts-table.tsx";
import { BUDGET_LIMIT, ruleOf } from "./accounts.ts";
import { BudgetChange } from "./budget-change.tsx";
import { BudgetEvents } from "./budget-events.tsx";

/** The scope that may change budgets. */
const CHANGE_SCOPE = "admin";

export function Budgets(): VNode {
  const query = usePageQuery();
  const budgets = useApi("/budgets", { ...filtersIn(query, "/budgets"), limit: BUDGET_LIMIT });
  const mayChange = useScope(CHANGE_SCOPE);
  const [version, setVersion] = useState(0);
  const onChanged = (): void => {
    budgets.reload();
    setVersion((before) => before + 1);
  };
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
              <NoAccount />
            ) : (
              <>
                {account !== undefined && mayChange && (
                  <BudgetChange key={nameOf(account)} account={account} onChanged={onChanged} />
                )}
                <AccountsTable
                  accounts={results}
                  caption="Accounts, the most used first"
                  mayChange={mayChange}
                />
                <p>
                  <CsvButton name="budgets" rows={() => rowsOf(results)} />
                </p>
                <Differences />
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
      <Events version={version} />
    </Page>
  );
}

/** Those of the accounts that the filters select. */
function Events({ version }: { readonly version: number }): VNode {
  const query = usePageQuery();
  const budget = query.get("budget");
  return (
    <BudgetEvents
      version={version}
      query={{
        rule: budget && ruleOf(budget),
        subject_source: query.get("subject_source"),
        subject_id: query.get("subject_id"),
      }}
    />
  );
}

function NoAccount(): VNode {
  return (
    <Empty title="No account.">
      <p>
        A rule of <code>BUDGETS</code> has an account for each subject with calls in the period. Without rules
        nothing is limited.
      </p>
    </Empty>
  );
}

function Differences(): VNode {
  return (
    <p class="muted">
      Spent can differ from the cost of requests: a call without figures counts with its estimate, a budget
      can leave out calls with weak attribution, and batches count for the call that created them.
    </p>
  );
}

/** In the account's measure: a spreadsheet reads dollars, not millionths. */
const amountOf = ({ measure }: Account, value: number | null): number | null =>
  value !== null && measure === "dollars" ? value / 1_000_000 : value;

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
    amountOf(one, one.limit),
    amountOf(one, one.spent),
    amountOf(one, one.reserved),
    one.resets_at,
  ]),
];
