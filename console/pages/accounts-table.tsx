/** Accounts of budgets: what they have left. */
import type { VNode } from "preact";
import type { Account } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { FilterLink, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { Meter } from "../parts/meter.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";
import { accountKey, formatAmount } from "./accounts.ts";

/** The name of an account in the page's address. */
export const nameOf = (account: Account): string => `${account.budget} ${accountKey(account)}`;

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

const COLUMNS: readonly Column<Account>[] = [
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
    key: "left",
    head: "Left",
    isNumber: true,
    cell: amountOf(({ limit, spent, reserved }) =>
      spent === null ? null : Math.max(0, limit - spent - (reserved ?? 0)),
    ),
  },
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

export function AccountsTable({ accounts, caption, mayChange = false }: AccountsTableProps): VNode {
  const query = usePageQuery();
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
      columns={mayChange ? [...COLUMNS, change] : COLUMNS}
      rows={accounts}
      rowKey={nameOf}
      defaultSort="-used"
    />
  );
}

function Subject({ account }: { readonly account: Account }): VNode {
  const { subject_kind: kind, subject_source: source, subject_id: id, subject_name: name } = account;
  if (id === null) return <span>all calls</span>;
  if (kind === "principal")
    return (
      <Principal id={id} source={source} name={name} as={account.per === "actor" ? "actor" : "initiator"} />
    );
  return (
    <span>
      <Text value={id} />{" "}
      <span class="muted">
        <Text value={kind} />
      </span>
    </span>
  );
}
