/** The list of findings that need attention: each line leads to the rows behind it. */
import type { VNode } from "preact";
import { anomalyOf } from "../../src/events/anomaly-kinds.ts";
import { useApi } from "../api/use-api.ts";
import type { Account, Anomaly, BudgetEvent } from "../api/types.ts";
import type { Changes } from "../app/location.ts";
import type { Range } from "../app/range-of.ts";
import { useRangeLink } from "../app/use-link.ts";
import { nameIn, useNames, type Named } from "../app/use-names.ts";
import { BUDGET_LIMIT, budgetOf } from "./accounts.ts";
import { formatCount, formatShare, plural } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { formatAge } from "../text/time.tsx";

type Item = {
  readonly key: string;
  /** The page with the rows, and its filters. */
  readonly to: readonly [path: string, query?: Changes];
  readonly isSevere: boolean;
  readonly text: VNode;
};

/** The log gets an entry every hour, and a checkpoint with it: later than this, the sealer does not run. */
const LATE_SEAL_MS = 2 * 3_600_000;
const NEAR_LIMIT = 0.8;
const MAX_LINES = 8;

export function Attention({ range }: { readonly range: Range }): VNode {
  const { started_after, started_before } = range;
  const times = { started_after, started_before };
  const seen = { seen_after: started_after, seen_before: started_before };
  const anomalies = useApi("/anomalies", { ...seen, limit: 200 });
  const budgets = useApi("/budgets", { limit: BUDGET_LIMIT });
  const unauthenticated = useApi("/unauthenticated-events", { ...times, limit: 1 });
  const exceeded = useApi("/budgets/events", { ...times, type: "budget_exceeded", limit: 200 });
  const checkpoint = useApi("/checkpoint", {});
  const hasExceeded = exceeded.data !== null && exceeded.data.results.length > 0;
  const names = useNames(hasExceeded ? "initiator" : null);
  const link = useRangeLink();
  const loads = [anomalies, budgets, unauthenticated, exceeded, checkpoint];
  const items: readonly Item[] = [
    ...anomalyItems(anomalies.data?.results ?? []),
    ...refusedItems(exceeded.data?.results ?? [], names),
    ...budgetItems(budgets.data?.results ?? []),
    ...macItems(unauthenticated.data?.count ?? 0),
    ...sealItems(checkpoint.data?.signed_at),
  ];
  const shown = items.toSorted((a, b) => Number(b.isSevere) - Number(a.isSevere));
  const isLoading = loads.some((load) => load.isLoading && load.data === null);
  const failed = loads.filter(
    ({ error }) => error !== null && error.status !== 404 && error.reason !== "seals_off",
  );
  return (
    <section class="attention card" aria-labelledby="attention-title">
      <h2 id="attention-title">
        Needs attention <span class="muted">in {range.words}</span>
      </h2>
      {isLoading ? (
        <p class="muted">Looking …</p>
      ) : shown.length === 0 ? (
        <p>Nothing: no anomaly, no budget near its limit or above it, no event without a valid MAC.</p>
      ) : (
        <ul>
          {shown.slice(0, MAX_LINES).map(({ key, to: [path, query], isSevere, text }) => (
            <li key={key} class={isSevere ? "severe" : "minor"}>
              <a href={link(path, query)}>{text}</a>
            </li>
          ))}
        </ul>
      )}
      {shown.length > MAX_LINES && <p class="muted">and {formatCount(shown.length - MAX_LINES)} more</p>}
      {failed.length > 0 && (
        <p class="note">{plural(failed.length, "check")} could not be made: this list may be incomplete.</p>
      )}
    </section>
  );
}

/** These say that a secret or the evidence is at risk, not only that something is unusual. */
const SEVERE_KINDS: ReadonlySet<string> = new Set(["provider_key_leaked", "provider_key_rejected"]);

function anomalyItems(anomalies: readonly Anomaly[]): readonly Item[] {
  return [...Map.groupBy(anomalies, ({ kind }) => kind)].map(([kind, all]) => ({
    key: kind,
    to: ["/anomalies", { kind }],
    isSevere: SEVERE_KINDS.has(kind),
    text: (
      <>
        {plural(all.length, "anomaly", "anomalies")}: {anomalyTitle(kind)}
      </>
    ),
  }));
}

/** The meaning of a kind; the word itself where this version does not know it. */
export const anomalyTitle = (kind: string): string =>
  anomalyOf(kind)?.meaning.replaceAll("`", "") ?? visibleText(kind).slice(0, 120);

function budgetItems(accounts: readonly Account[]): readonly Item[] {
  return accounts.flatMap((account) => {
    const used = (account.spent ?? 0) + (account.reserved ?? 0);
    if (account.limit <= 0 || used < NEAR_LIMIT * account.limit) return [];
    const who = account.subject_name ?? account.subject_id ?? "all calls";
    return [
      {
        key: `${account.budget} ${account.subject_source} ${account.subject_id}`,
        to: ["/budgets", { budget: account.budget }],
        isSevere: used >= account.limit,
        text: (
          <>
            Budget <Text value={account.budget} max={60} /> of <Text value={who} max={60} />:{" "}
            {formatShare(used / account.limit)} used
          </>
        ),
      },
    ];
  });
}

const accountOf = ({ rule, subject_source: source, subject_id: id }: BudgetEvent): string =>
  JSON.stringify([rule, source, id]);

/** Budgets that refused calls, even if their period has ended since. */
function refusedItems(events: readonly BudgetEvent[], names: readonly Named[]): readonly Item[] {
  return [...Map.groupBy(events, accountOf)].flatMap(([key, [newest]]): Item[] => {
    if (newest === undefined) return [];
    const { rule, subject_id: id, subject_source: source, initiator_id: initiator } = newest;
    // The account of an actor, a client or of all calls has refusals of many initiators.
    const filter = initiator !== null && initiator === id ? { initiator, initiator_source: source } : {};
    const who = nameIn(names, id, source) ?? id ?? "all calls";
    return [
      {
        key,
        to: ["/refusals", { reason: "budget_exceeded", ...filter }],
        isSevere: true,
        text: (
          <>
            Budget <Text value={budgetOf(rule) ?? rule} max={60} /> of <Text value={who} max={60} />: calls
            were refused, the last time from {formatAge(newest.created_at, Date.now())}
          </>
        ),
      },
    ];
  });
}

const macItems = (count: number): readonly Item[] =>
  count === 0
    ? []
    : [
        {
          key: "mac",
          to: ["/unauthenticated-events"],
          isSevere: true,
          text: <>{plural(count, "event")} without a valid MAC: not stored as records</>,
        },
      ];

function sealItems(signedAt: string | undefined): readonly Item[] {
  if (signedAt === undefined || Date.now() - Date.parse(signedAt) < LATE_SEAL_MS) return [];
  return [
    {
      key: "seal",
      to: ["/seals"],
      isSevere: true,
      text: <>The last checkpoint was signed {formatAge(signedAt, Date.now())}: new events are not sealed</>,
    },
  ];
}
