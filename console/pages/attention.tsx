/** The list of findings that need attention: each line leads to the rows behind it. */
import type { VNode } from "preact";
import { ANOMALY_KINDS } from "../../src/events/vocabulary.ts";
import { useApi } from "../api/use-api.ts";
import type { Account, Anomaly } from "../api/types.ts";
import { hrefOf } from "../app/location.ts";
import type { Range } from "../app/range-of.ts";
import { BUDGET_LIMIT } from "./accounts.ts";
import { formatCount, formatShare, plural } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { formatAge } from "../text/time.tsx";

type Item = { readonly key: string; readonly href: string; readonly isSevere: boolean; readonly text: VNode };

/** The log gets an entry every hour, and a checkpoint with it: later than this, the sealer does not run. */
const LATE_SEAL_MS = 2 * 3_600_000;
const NEAR_LIMIT = 0.8;
const MAX_LINES = 8;

export function Attention({ range }: { readonly range: Range }): VNode {
  const anomalies = useApi("/anomalies", {
    seen_after: range.started_after,
    seen_before: range.started_before,
    limit: 200,
  });
  const budgets = useApi("/budgets", { limit: BUDGET_LIMIT });
  const unauthenticated = useApi("/unauthenticated-events", {
    started_after: range.started_after,
    started_before: range.started_before,
    limit: 1,
  });
  const checkpoint = useApi("/checkpoint", {});
  const loads = [anomalies, budgets, unauthenticated, checkpoint];
  const items: readonly Item[] = [
    ...anomalyItems(anomalies.data?.results ?? []),
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
      <h2 id="attention-title">Needs attention</h2>
      {isLoading ? (
        <p class="muted">Looking …</p>
      ) : shown.length === 0 ? (
        <p>Nothing in {range.words}: no anomaly, no budget near its limit, no event without a valid MAC.</p>
      ) : (
        <ul>
          {shown.slice(0, MAX_LINES).map(({ key, href, isSevere, text }) => (
            <li key={key} class={isSevere ? "severe" : "minor"}>
              <a href={href}>{text}</a>
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
    href: hrefOf("/anomalies", { kind }),
    isSevere: SEVERE_KINDS.has(kind),
    text: (
      <>
        {plural(all.length, "anomaly", "anomalies")}: {anomalyTitle(kind)}
      </>
    ),
  }));
}

/** The meaning without its explanation of the columns. */
export const anomalyTitle = (kind: string): string =>
  Object.hasOwn(ANOMALY_KINDS, kind)
    ? (((ANOMALY_KINDS as Readonly<Record<string, string>>)[kind] ?? "")
        .split(" (")[0]
        ?.replaceAll("`", "") ?? "")
    : visibleText(kind).slice(0, 120);

function budgetItems(accounts: readonly Account[]): readonly Item[] {
  return accounts.flatMap((account) => {
    const used = (account.spent ?? 0) + (account.reserved ?? 0);
    if (account.limit <= 0 || used < NEAR_LIMIT * account.limit) return [];
    const who = account.subject_name ?? account.subject_id ?? "all calls";
    return [
      {
        key: `${account.budget} ${account.subject_source} ${account.subject_id}`,
        href: hrefOf("/budgets", { budget: account.budget }),
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

const macItems = (count: number): readonly Item[] =>
  count === 0
    ? []
    : [
        {
          key: "mac",
          href: hrefOf("/unauthenticated-events"),
          isSevere: true,
          text: <>{plural(count, "event")} without a valid MAC: not stored as records</>,
        },
      ];

function sealItems(signedAt: string | undefined): readonly Item[] {
  if (signedAt === undefined || Date.now() - Date.parse(signedAt) < LATE_SEAL_MS) return [];
  return [
    {
      key: "seal",
      href: hrefOf("/seals"),
      isSevere: true,
      text: <>The last checkpoint was signed {formatAge(signedAt, Date.now())}: new events are not sealed</>,
    },
  ];
}
