/** One thread of a session: a prompt, and the model's steps with their tool calls and thoughts. */
import type { VNode } from "preact";
import type { Action, Interception, Thread } from "../api/types.ts";
import { useScope } from "../app/session.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { Cost, Dollars, inputOf, inputOfCall, Tokens } from "../parts/figures.tsx";
import { InterceptionLink, NOT_KNOWN } from "../parts/links.tsx";
import { Outcome } from "../parts/outcome.tsx";
import { plural } from "../text/format.ts";
import { LongText, Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

/** The requests of a session, by the id of their thread, in order. Empty until they are read. */
export type RequestsByThread = ReadonlyMap<string, readonly Interception[]>;

/** The sum of the costs, and the number of requests that add nothing to it. Refused ones cost nothing. */
export function RequestsCost({ requests }: { readonly requests: readonly Interception[] }): VNode {
  const known = requests.flatMap(({ cost_micros: micros }) => (micros === null ? [] : [micros]));
  const unpriced = requests.filter(
    ({ cost_micros: micros, outcome }) => micros === null && outcome !== "refused",
  ).length;
  if (known.length === 0) return NOT_KNOWN;
  return <Cost micros={known.reduce((sum, micros) => sum + micros, 0)} unpriced={unpriced} />;
}

type ThreadProps = { readonly thread: Thread; readonly requests: readonly Interception[] };

export function ThreadView({ thread, requests }: ThreadProps): VNode {
  const mayRead = useScope("content");
  const tools = thread.agentic_actions.reduce((sum, { tool_calls: calls }) => sum + calls.length, 0);
  const actions = new Map(thread.agentic_actions.map((action) => [action.interception_id, action]));
  // Requests whose response called no tool are no actions. Without the requests, the actions are shown.
  const steps = requests.length > 0 ? requests.map(({ id }) => id) : [...actions.keys()];
  return (
    <li class="card thread">
      <p class="thread-head">
        <Time at={thread.started_at} />
        <Text value={thread.model} max={60} />
        <Outcome word={thread.outcome} />
        <Attribution word={thread.attribution} isMixed={thread.mixed} />
        {thread.agent_id !== null && (
          <span>
            agent <Text value={thread.agent_id} max={40} />
          </span>
        )}
        <span class="muted">
          tokens{" "}
          <Tokens
            input={inputOf(thread.token_usage)}
            output={thread.token_usage.output_tokens}
            isIncomplete={!thread.usage_complete}
          />
        </span>
        {requests.length > 0 && <RequestsCost requests={requests} />}
        <InterceptionLink id={thread.id} />
      </p>
      {thread.prompt ? (
        <LongText value={thread.prompt} label="Prompt" />
      ) : (
        <p class="muted">{mayRead ? "No prompt is recorded." : "The prompt is hidden."}</p>
      )}
      {steps.length > 0 && (
        <details>
          <summary>
            {plural(steps.length, "request")} with {plural(tools, "tool call")}
          </summary>
          <ol class="steps">
            {steps.map((id) => (
              <Step
                key={id}
                id={id}
                action={actions.get(id) ?? null}
                request={requests.find((one) => one.id === id) ?? null}
              />
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

type StepProps = {
  readonly id: string;
  /** null: the response called no tool. */
  readonly action: Action | null;
  readonly request: Interception | null;
};

function Step({ id, action, request }: StepProps): VNode {
  return (
    <li>
      <p class="thread-head">
        <InterceptionLink id={id} />
        <Text value={request?.model ?? action?.model ?? ""} max={60} />
        {request !== null && <Outcome word={request.outcome} status={request.status} />}
        <span class="muted">
          tokens{" "}
          {request === null ? (
            <Tokens
              input={action && inputOf(action.token_usage)}
              output={action && action.token_usage.output_tokens}
            />
          ) : (
            <Tokens input={inputOfCall(request)} output={request.output_tokens} />
          )}
        </span>
        {request !== null && <Dollars micros={request.cost_micros} />}
      </p>
      {action !== null && <ActionView action={action} />}
    </li>
  );
}

function ActionView({ action }: { readonly action: Action }): VNode {
  const mayRead = useScope("content");
  return (
    <>
      {action.thinking.map(({ text }, at) => (
        <details key={at}>
          <summary>Thought</summary>
          <LongText value={text} label="Thought" />
        </details>
      ))}
      {action.tool_calls.map((call) => (
        <details key={call.id}>
          <summary>
            Tool call: <Text value={call.tool} max={80} />
          </summary>
          {call.input ? (
            <LongText value={call.input} label={`Input of the tool ${call.tool.slice(0, 60)}`} />
          ) : (
            <p class="muted">{mayRead ? "No input is recorded." : "The input is hidden."}</p>
          )}
        </details>
      ))}
    </>
  );
}
