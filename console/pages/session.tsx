/** One session: its agents as a tree, and its threads with prompts, tools, tokens and cost. */
import { useMemo } from "preact/hooks";
import type { VNode } from "preact";
import { useRoute } from "preact-iso/router";
import { useApi } from "../api/use-api.ts";
import type { Interception, Session as SessionData } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useScope } from "../app/session.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { Count, Facts, inputOf } from "../parts/figures.tsx";
import { DrillLink, Id, InterceptionLink, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { ContentHidden, Loadable, Note } from "../parts/states.tsx";
import { formatCount, plural } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { Time } from "../text/time.tsx";
import { Agents } from "./agents.tsx";
import { RequestsCost, ThreadView, type RequestsByThread } from "./thread.tsx";

/** Costs are read beside the session; more requests than this have none shown. */
const COST_LIMIT = 200;

export function Session(): VNode {
  const { params } = useRoute();
  const query = usePageQuery();
  const id = params["id"] ?? "";
  const session = useApi("/sessions/{session_id}", {
    session_id: id,
    after_id: query.get("after_id"),
    before_id: query.get("before_id"),
    limit: 25,
  });
  return (
    <Page
      title="Session"
      crumbs={[{ label: "Sessions", path: "/sessions" }]}
      about={<Id value={session.data?.id ?? id} />}
    >
      <Loadable of={session} what="the session" height={500}>
        {(data) => <SessionView session={data} sessionKey={id} next={session.next} />}
      </Loadable>
    </Page>
  );
}

type ViewProps = {
  readonly session: SessionData;
  readonly sessionKey: string;
  readonly next: Readonly<Record<string, string>> | null;
};

function SessionView({ session, sessionKey, next }: ViewProps): VNode {
  const mayRead = useScope("content");
  const query = usePageQuery();
  const requests = useRequests(session);
  const found = requests.data?.results ?? NONE;
  const hasAll = requests.data !== null && found.length >= session.interceptions;
  // Some requests of a thread alone would have the wrong sum.
  const shown = hasAll ? found : NONE;
  const byThread = useMemo(() => byThreadOf(shown), [shown]);
  return (
    <>
      <Facts
        facts={[
          [
            "Initiator",
            <Principal
              id={session.initiator.id}
              source={session.initiator_source}
              name={session.initiator.name || session.initiator.username}
            />,
          ],
          ["Actor", <Principal id={session.actor_id} source={session.identity_source} as="actor" />],
          ["Attribution", <Attribution word={session.attribution} isMixed={session.mixed} />],
          ["Client", <Text value={session.client} max={60} />],
          ["Models", <Text value={session.models.join(", ")} />],
          ["Requests", <RequestsLink session={session} />],
          ["Cost", hasAll ? <RequestsCost requests={shown} /> : requests.isLoading ? "…" : NOT_KNOWN],
          ["Input tokens", <Count value={inputOf(session.token_usage_summary)} />],
          ["Output tokens", <Count value={session.token_usage_summary.output_tokens} />],
          ["Started", <Time at={session.started_at} />],
          ["Last ended", <Time at={session.ended_at} />],
        ]}
      />
      {!mayRead && <ContentHidden />}
      <Partial session={session} requests={shown} isCostPartial={!hasAll && !requests.isLoading} />
      <Agents sessionKey={sessionKey} requests={shown} />
      <h2>Threads</h2>
      <ol class="threads">
        {session.threads.map((thread) => (
          <ThreadView key={thread.id} thread={thread} requests={byThread.get(thread.id) ?? NONE} />
        ))}
      </ol>
      <nav class="pager" aria-label="Pages of threads">
        <span>
          {formatCount(session.threads.length)} of {plural(session.thread_count, "thread")}
        </span>
        {(query.get("after_id") ?? query.get("before_id")) !== null && (
          <a href={query.href({ after_id: null, before_id: null })}>First page</a>
        )}
        {next?.["after_id"] !== undefined && (
          <a href={query.href({ after_id: next["after_id"], before_id: null })}>Next page</a>
        )}
      </nav>
    </>
  );
}

/** Several sessions can have one id: they differ in one of these. */
const requestsOf = (session: SessionData) => ({
  session_id: session.id,
  initiator: session.initiator.id,
  initiator_source: session.initiator_source,
  actor: session.actor_id,
  identity_source: session.identity_source,
  attribution: session.attribution,
});

const useRequests = (session: SessionData) =>
  useApi("/interceptions", { ...requestsOf(session), limit: COST_LIMIT, content: "false" });

const NONE: readonly Interception[] = [];

/** The API lists the newest first. */
const byThreadOf = (requests: readonly Interception[]): RequestsByThread =>
  Map.groupBy(requests.toReversed(), ({ id, thread_root_id: root }) => root ?? id);

/** The days in UTC from its first request to its last one. */
const daysOf = ({ started_at: start, ended_at: end }: SessionData) => ({
  from: start.slice(0, 10),
  to: (end ?? new Date().toISOString()).slice(0, 10),
});

function RequestsLink({ session }: { readonly session: SessionData }): VNode {
  return (
    <DrillLink path="/live" query={{ ...requestsOf(session), ...daysOf(session), range: null }}>
      <Count value={session.interceptions} />
    </DrillLink>
  );
}

type PartialProps = {
  readonly session: SessionData;
  readonly requests: readonly Interception[];
  readonly isCostPartial: boolean;
};

/** The gaps in the session's figures and texts. */
function Partial({ session, requests, isCostPartial }: PartialProps): VNode {
  const unpriced = requests.filter(({ cost_micros: micros }) => micros === null).length;
  const unrecorded = session.unrecorded_prompts ?? [];
  return (
    <>
      {!session.usage_complete && (
        <Note>Some requests have no token figures yet and add nothing to the sums.</Note>
      )}
      {isCostPartial && (
        <Note>
          The cost is not summed: the session has more than {formatCount(COST_LIMIT)} requests, or they could
          not be read.
        </Note>
      )}
      {unpriced > 0 && (
        <Note>
          {plural(unpriced, "request has", "requests have")} no known price; the cost is without them.
        </Note>
      )}
      {session.truncated_fields.length > 0 && (
        <Note>Lists that are cut: {visibleText(session.truncated_fields.join(", "))}.</Note>
      )}
      {unrecorded.length > 0 && (
        <Note>
          {plural(unrecorded.length, "earlier user text")}
          {session.unrecorded_prompts_are_capped && " or more"} in these requests came with no recorded
          prompt. First in <InterceptionLink id={unrecorded[0]?.interception_id ?? ""} />.
        </Note>
      )}
    </>
  );
}
