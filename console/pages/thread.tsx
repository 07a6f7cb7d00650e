/** One thread of a session: a prompt, and the model's steps with their tool calls and thoughts. */
import type { VNode } from "preact";
import type { Action, Thread } from "../api/types.ts";
import { useScope } from "../app/session.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { Dollars, inputOf, Tokens } from "../parts/figures.tsx";
import { InterceptionLink } from "../parts/links.tsx";
import { Outcome } from "../parts/outcome.tsx";
import { plural } from "../text/format.ts";
import { LongText, Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

/** Micro-dollars by the id of the interception; null where the price is not known. */
export type Costs = ReadonlyMap<string, number | null>;

type ThreadProps = { readonly thread: Thread; readonly costs: Costs };

export function ThreadView({ thread, costs }: ThreadProps): VNode {
  const mayRead = useScope("content");
  const tools = thread.agentic_actions.reduce((sum, { tool_calls: calls }) => sum + calls.length, 0);
  const ids = new Set([thread.id, ...thread.agentic_actions.map(({ interception_id: id }) => id)]);
  const known = [...ids].map((id) => costs.get(id)).filter((cost) => cost != null);
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
        {known.length > 0 && <Dollars micros={known.reduce((sum, cost) => sum + cost, 0)} />}
        <InterceptionLink id={thread.id} />
      </p>
      {thread.prompt ? (
        <LongText value={thread.prompt} label="Prompt" />
      ) : (
        <p class="muted">{mayRead ? "No prompt is recorded." : "The prompt is hidden."}</p>
      )}
      {thread.agentic_actions.length > 0 && (
        <details>
          <summary>
            {plural(thread.agentic_actions.length, "step")} with {plural(tools, "tool call")}
          </summary>
          <ol class="steps">
            {thread.agentic_actions.map((action) => (
              <Step
                key={action.interception_id}
                action={action}
                cost={costs.get(action.interception_id) ?? null}
              />
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

function Step({ action, cost }: { readonly action: Action; readonly cost: number | null }): VNode {
  const mayRead = useScope("content");
  return (
    <li>
      <p class="thread-head">
        <InterceptionLink id={action.interception_id} />
        <Text value={action.model} max={60} />
        <span class="muted">
          tokens <Tokens input={inputOf(action.token_usage)} output={action.token_usage.output_tokens} />
        </span>
        {cost !== null && <Dollars micros={cost} />}
      </p>
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
    </li>
  );
}
