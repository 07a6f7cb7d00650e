/** The events of budgets: thresholds, refusals, calls beyond their reservation, and changes of limits. */
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import type { BudgetEvent, Query } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { nameIn, useNames, type Named } from "../app/use-names.ts";
import { FilterLink, InterceptionLink, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { formatCount } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";
import { budgetOf, formatAmount } from "./accounts.ts";

const LIMIT = 20;
const DELIVERY_MS = 6000;

type Props = {
  /** Parameters of `/budgets/events`. */
  readonly query: Query;
  /** Whether nothing is shown where there is no event. */
  readonly isOptional?: boolean;
  /** The page of which the principals' links are. One account is a principal's, whether it calls or is called for. */
  readonly as?: "initiator" | "actor";
  /** With another number, the events are read again: one was just recorded. */
  readonly version?: number;
};

export function BudgetEvents({
  query,
  isOptional = false,
  as = "initiator",
  version = 0,
}: Props): VNode | null {
  const events = useApi("/budgets/events", { ...query, limit: LIMIT });
  const { reload } = events;
  useEffect(() => {
    if (version === 0) return;
    // An event reaches the ledger some seconds later.
    const timer = setTimeout(reload, DELIVERY_MS);
    return () => clearTimeout(timer);
  }, [version, reload]);
  const isEmpty = events.data !== null && events.data.results.length === 0;
  const names = useNames(events.data === null || isEmpty ? null : as);
  if (isOptional && (events.data === null || isEmpty)) return null;
  return (
    <Loadable of={events} what="events of budgets" height={120}>
      {({ results, count, count_is_capped: isCapped }) => (
        <>
          {results.length === 0 ? (
            <p class="muted">No threshold was reached, no call refused and no limit changed.</p>
          ) : (
            <Table
              caption="Events of budgets, newest first"
              columns={columnsOf(names, as)}
              rows={results}
              rowKey={({ id }) => id}
            />
          )}
          {count > results.length && (
            <Note>
              The newest {formatCount(results.length)} of {isCapped && "more than "}
              {formatCount(count)} events are shown.
            </Note>
          )}
        </>
      )}
    </Loadable>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  budget_threshold: "threshold reached",
  budget_exceeded: "refused a call, first in its period",
  budget_overrun: "a call cost more than it reserved",
  rate_limited: "rate limit refused a call",
  budget_change: "limit changed",
  budget_charge: "charge delivered late",
};

const amountOr = (measure: string, value: number | null): VNode | string =>
  value === null ? NOT_KNOWN : formatAmount(measure, value);

const columnsOf = (names: readonly Named[], as: "initiator" | "actor"): readonly Column<BudgetEvent>[] => [
  { key: "time", head: "Time", isRowHeader: true, cell: (row) => <Time at={row.created_at} /> },
  { key: "what", head: "Event", cell: (row) => <What row={row} /> },
  { key: "rule", head: "Rule", cell: (row) => <Rule rule={row.rule} /> },
  {
    key: "subject",
    head: "Account of",
    cell: (row) =>
      row.subject_id === null ? (
        "all calls"
      ) : row.subject_kind === "principal" ? (
        <Principal
          id={row.subject_id}
          source={row.subject_source}
          name={nameIn(names, row.subject_id, row.subject_source)}
          as={as}
        />
      ) : (
        <Text value={row.subject_id} max={60} />
      ),
  },
  { key: "spent", head: "Spent", isNumber: true, cell: (row) => amountOr(row.measure, row.spent) },
  { key: "reserved", head: "Reserved", isNumber: true, cell: (row) => amountOr(row.measure, row.reserved) },
  { key: "limit", head: "Limit", isNumber: true, cell: (row) => amountOr(row.measure, row.allowance) },
  {
    key: "by",
    head: "Request, or who changed it",
    cell: (row) =>
      row.changed_by === null ? (
        <InterceptionLink id={row.interception_id} />
      ) : (
        <Text value={row.changed_by} max={60} />
      ),
  },
];

function What({ row }: { readonly row: BudgetEvent }): VNode {
  const title = TITLES[row.type] ?? visibleText(row.type).slice(0, 60);
  const isBad = row.type === "budget_exceeded" || row.type === "rate_limited";
  return (
    <span class={isBad ? "outcome bad" : undefined}>
      {title}
      {row.percent !== null && `: ${formatCount(row.percent)} %`}
      {row.change !== null && `: ${visibleText(row.change.replaceAll("_", " ")).slice(0, 40)}`}
      {row.amount !== null && `, ${amountName(row.type)}${formatAmount(row.measure, row.amount)}`}
    </span>
  );
}

/** A refused call had not used it. */
const amountName = (type: string): string => (type === "budget_exceeded" ? "which might use " : "");

/** `budget:` and the name, or `rate:` and the name. */
function Rule({ rule }: { readonly rule: string }): VNode {
  const budget = budgetOf(rule);
  return budget === null ? (
    <Text value={rule} max={60} />
  ) : (
    <FilterLink path="/budgets" name="budget" value={budget} />
  );
}
