/**
 * `npm run demo`: a short story sent through a Worker and an emulated provider of its own, then a table of what the
 * Worker itself logged of it, then questions to the Worker's API about it. Exit code 0 only if log and answers are what
 * they should be.
 */
import { styleText } from "node:util";
import { createEventLog, type EventLog } from "./demo/event-log.ts";
import { delivered, runQueries } from "./demo/queries.ts";
import { differences, find, isComplete, rowOf } from "./demo/row.ts";
import { ADA, GRACE, interceptionCount, QUERIES, story, type Step } from "./demo/story.ts";
import { table } from "./demo/table.ts";
import { shortId } from "./local/event-line.ts";
import { interruption } from "./local/interruption.ts";
import { twoFreePorts } from "./local/ports.ts";
import { chooseLocalSetup, startStack } from "./local/stack.ts";
import { sentenceOf } from "./local/start-failure.ts";
import { LOCAL_ADMIN_TOKEN } from "./local-keys.ts";
import { createApiClient, type ApiClient } from "./report/api-client.ts";

/** For the Worker's last events, after the last request has ended. */
const EVENTS_WITHIN_MS = 10_000;

type Told = { readonly step: Step; readonly id: string };

/** Resolves with the exit code. */
export async function main(): Promise<number> {
  const interrupted = interruption();
  const log = createEventLog();
  try {
    const [port, providerPort] = await twoFreePorts();
    const options = { port, providerPort, isolated: true, onEvent: log.add, onNotice: print };
    print(styleText("dim", "Starting an emulated provider and the interceptor …"));
    const stack = await startStack(options, chooseLocalSetup(options), interrupted.signal);
    try {
      const broken = stack.broken.then((sentence) => Promise.reject(new Error(sentence)));
      const stopped = interrupted.happened.then(() => Promise.reject(new Error("Interrupted.")));
      const api = createApiClient(stack.url, LOCAL_ADMIN_TOKEN);
      return await Promise.race([tell(story(stack.url), log, api), broken, stopped]);
    } finally {
      await stack.stop();
    }
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function tell(steps: readonly Step[], log: EventLog, api: ApiClient): Promise<number> {
  const told: Told[] = [];
  for (const step of steps) {
    print(`${mark(steps.indexOf(step))} ${step.title}`);
    const id = await step.send().catch((error: unknown) => {
      throw new Error(
        `Step ${mark(steps.indexOf(step))} got no answer that it can read: ${sentenceOf(error)}`,
      );
    });
    told.push({ step, id });
  }
  await log.until(() => told.every(({ id }) => isComplete(log.of(id))), EVENTS_WITHIN_MS);
  print(`\n${table(told.map(({ id }, at) => ({ mark: mark(at), row: rowOf(log.of(id)) })))}`);
  print(
    `\n${shortId(ADA)} is Ada and ${shortId(GRACE)} is Grace: users' ids in Coder. Tokens exclude the cache.`,
  );
  print(`\n${styleText("bold", "Whose account: overrides and rejected owner headers")}`);
  told.forEach(({ id, step }, at) => ownerLines(log, id, step, at).forEach(print));
  return judge([...wrongInLog(told, log), ...(await wrongInLedger(steps, api))], told.length);
}

/** The ledger is asked what an auditor would ask. */
async function wrongInLedger(steps: readonly Step[], api: ApiClient): Promise<readonly string[]> {
  print(`\n${styleText("bold", "The records are asked, as soon as the queue has delivered them …")}`);
  const all = await delivered(api, interceptionCount(steps));
  const wrong = await runQueries(api, QUERIES, print);
  return all ? wrong : ["The ledger has not got every interception with its end.", ...wrong];
}

function mark(index: number): string {
  return `${index + 1}`;
}

/** The override or rejection that was recorded, and which case of the proposal it answers. */
function ownerLines(log: EventLog, id: string, step: Step, at: number): readonly string[] {
  const events = log.of(id);
  const override = find(events, "initiator_override");
  const rejected = find(events, "initiator_override_rejected");
  const what = override
    ? `${override.actor_id} → ${override.owner_id}`
    : rejected
      ? `rejected (${rejected.reason}): ${rejected.value_length} characters, SHA-256 ${rejected.value_sha256}; stays ${rejected.initiator_id}`
      : step.proposal && "no owner header; stays the actor";
  if (what === undefined) return [];
  return [
    `${mark(at)}  ${what}${step.proposal ? styleText("cyan", `  [proposal, case ${step.proposal}]`) : ""}`,
  ];
}

function wrongInLog(told: readonly Told[], log: EventLog): readonly string[] {
  return told.flatMap(({ step, id }, at) => {
    const events = log.of(id);
    if (!isComplete(events)) return [`${mark(at)} ${step.title}: events are missing`];
    return differences(rowOf(events), step.expected).map((text) => `${mark(at)} ${step.title}: ${text}`);
  });
}

function judge(wrong: readonly string[], steps: number): number {
  if (wrong.length === 0) {
    print(
      styleText("green", `\nAll ${steps} were recorded as they should be, in the log and in the ledger.`),
    );
    return 0;
  }
  print(styleText("red", `\nNot recorded as they should be:\n${wrong.join("\n")}`));
  return 1;
}
