/** The gateway's decision about a described request. */
import type { VNode } from "preact";
import { OWNER_REJECTIONS } from "../../src/events/vocabulary.ts";
import type { Posts } from "../api/schema.ts";
import { Attribution, meaningOf } from "../parts/attribution.tsx";
import { Facts } from "../parts/figures.tsx";
import { NOT_KNOWN, Principal } from "../parts/links.tsx";
import { Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { Verdict } from "../parts/verdict.tsx";
import { meaningIn } from "../text/meaning.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { Time } from "../text/time.tsx";
import { formatAmount } from "./accounts.ts";

type Result = Posts["/explain"]["response"];
type Budget = NonNullable<Result["budgets"]>[number];
type Candidate = Result["candidates"][number];

export function Explanation({ result }: { readonly result: Result }): VNode {
  const { initiator, route, refusal, budgets } = result;
  return (
    <section class="card" aria-labelledby="explanation-title">
      <h2 id="explanation-title">What would happen</h2>
      {refusal === null ? (
        <Verdict
          isGood
          word="Result"
          text={`The request would be forwarded${route === null ? "" : ` to ${route.provider}`}.`}
        />
      ) : (
        <Verdict
          isGood={false}
          word="Result"
          text={`The gateway would respond with ${refusal.status} ${refusal.reason}: ${refusal.message}`}
        />
      )}
      <Decision result={result} />
      {initiator !== null && <p class="muted">{meaningOf(initiator.attribution)}</p>}
      {isOwnerRejected(result) && initiator !== null && (
        <Note>
          The owner header is rejected. The request counts for the holder of its credential, and the
          attribution is about that credential only.
        </Note>
      )}
      {result.flags.length > 0 && <Note>Flags: {visibleText(result.flags.join(", "))}</Note>}
      {result.candidates.length > 0 && (
        <Table
          caption="Candidates for the initiator"
          columns={CANDIDATES}
          rows={result.candidates}
          rowKey={(_, at) => String(at)}
        />
      )}
      {budgets !== null && budgets.length > 0 && (
        <Table
          caption="Budgets that it would be charged to"
          columns={BUDGETS}
          rows={budgets}
          rowKey={({ rule }) => rule}
        />
      )}
    </section>
  );
}

const isOwnerRejected = ({ candidates }: Result): boolean =>
  candidates.some(({ rejection_reason: reason }) => reason !== null && reason !== "overridden");

function Decision({ result }: { readonly result: Result }): VNode {
  const { actor, initiator, route } = result;
  return (
    <Facts
      facts={[
        ["Destination", result.destination.replaceAll("_", " ")],
        [
          "Route",
          route === null ? NOT_KNOWN : <Text value={`${route.provider} ${route.route} (${route.kind})`} />,
        ],
        ["Client", result.client === null ? NOT_KNOWN : <Text value={result.client} />],
        ["Actor", <Principal id={actor?.id} source={actor?.source} name={actor?.name} as="actor" />],
        ["Initiator", <Principal id={initiator?.id} source={initiator?.source} name={initiator?.name} />],
        ["Attribution", initiator === null ? NOT_KNOWN : <Attribution word={initiator.attribution} />],
        ["Rule", result.rule === null || isOwnerRejected(result) ? NOT_KNOWN : <Text value={result.rule} />],
        [
          "Provider key",
          result.upstream_key === null ? NOT_KNOWN : <Text value={result.upstream_key.kind} />,
        ],
      ]}
    />
  );
}

const CANDIDATES: readonly Column<Candidate>[] = [
  { key: "who", head: "Who", isRowHeader: true, cell: ({ who }) => visibleText(who) },
  { key: "id", head: "Id", cell: ({ id }) => (id === null ? NOT_KNOWN : <Text value={id} />) },
  {
    key: "reason",
    head: "Result",
    cell: ({ rejection_reason: reason }) =>
      reason === null
        ? "chosen"
        : reason === "overridden"
          ? "not chosen: the owner is"
          : visibleText(`rejected, ${reason}: ${meaningIn(OWNER_REJECTIONS, reason)}`),
  },
];

const amount = (of: (budget: Budget) => number | null) => (budget: Budget) => {
  const value = of(budget);
  return value === null ? NOT_KNOWN : formatAmount(budget.measure, value);
};

const BUDGETS: readonly Column<Budget>[] = [
  { key: "rule", head: "Rule", isRowHeader: true, cell: ({ rule }) => <Text value={rule} /> },
  {
    key: "subject",
    head: "Subject",
    cell: (one) => (one.subject_id === null ? "all calls" : <Text value={one.subject_id} />),
  },
  { key: "reserve", head: "Would reserve", isNumber: true, cell: amount((one) => one.would_reserve) },
  { key: "spent", head: "Spent", isNumber: true, cell: amount((one) => one.spent) },
  { key: "limit", head: "Limit", isNumber: true, cell: amount((one) => one.limit) },
  { key: "resets", head: "Resets", cell: (one) => <Time at={one.resets_at} /> },
];
