/**
 * `npm run demo`: sends requests of some people and services through both Workers and an emulated provider: first those of
 * three earlier days, with the Workers' clock set back, then a short sequence. It prints a table of the sequence's events that
 * the gateway logged, then queries the records API. The exit code is 0 only if the log and the API's responses are as
 * expected. With `--keep`, the Workers then run on until Ctrl-C, so that the web console shows what was recorded.
 */
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { createEventLog, type EventLog } from "./demo/event-log.ts";
import { delivered, runQueries } from "./demo/queries.ts";
import { differences, find, isComplete, rowOf } from "./demo/row.ts";
import { startDirectory } from "./demo/directory.ts";
import { playPast, type Past } from "./demo/past/play.ts";
import { ADA, demoSetup, GRACE } from "./demo/people.ts";
import { queriesOf } from "./demo/story-queries.ts";
import { interceptionCount, story, type Step } from "./demo/story.ts";
import { table } from "./demo/table.ts";
import { startCrons } from "./local/crons.ts";
import { shortId } from "./local/event-line.ts";
import { interruption } from "./local/interruption.ts";
import { twoFreePorts } from "./local/ports.ts";
import { chooseLocalSetup, startStack, type Stack } from "./local/stack.ts";
import { sentenceOf } from "./local/start-failure.ts";
import { localVerifierKey, verifierKeyText } from "./local/verifier-key.ts";
import { agentsCurl } from "./local/what-to-try.ts";
import { LOCAL_ADMIN_TOKEN, LOCAL_KEYS } from "./local-keys.ts";
import { createApiClient, type ApiClient } from "./report/api-client.ts";

/** For the gateway's last events, after the last request has ended. */
const EVENTS_WITHIN_MS = 10_000;

/** The Workers' entries with a clock that can be set back. */
const ENTRIES = join(import.meta.dirname, "demo", "worker");

const HELP = `Usage: npm run demo [-- --keep]

Sends about 70 requests of invented people and services through both Workers and an emulated provider, on ports that are free:
those of three earlier days first, then a short sequence. Prints what the gateway logged and what the records API returns.
The exit code is 0 only if both are as expected. Nothing is left behind.

  --keep  both Workers then run on until Ctrl-C, so that the web console can show the records
`;

/** A step and the id of its interception. */
type SentStep = { readonly step: Step; readonly id: string };

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { keep, help } = parseArgs({
    args: [...args],
    options: {
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }).values;
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const interrupted = interruption();
  const log = createEventLog();
  const directory = await startDirectory();
  try {
    const [port, providerPort] = await twoFreePorts();
    const options = {
      port,
      providerPort,
      isolated: true,
      onEvent: log.add,
      onNotice: print,
      entries: ENTRIES,
    };
    print(styleText("dim", "Starting an emulated provider and the interceptor …"));
    const setup = demoSetup(chooseLocalSetup(options), directory.url);
    const stack = await startStack(options, setup, interrupted.signal);
    try {
      const broken = stack.broken.then((sentence) => Promise.reject(new Error(sentence)));
      const stopped = interrupted.happened.then(() => Promise.reject(new Error("Interrupted.")));
      const api = createApiClient(stack.url, LOCAL_ADMIN_TOKEN);
      const code = await Promise.race([run(stack.url, log, api), broken, stopped]);
      if (!keep) {
        print(
          styleText(
            "dim",
            "`npm run demo -- --keep` leaves it running, to look at the records in the console.",
          ),
        );
        return code;
      }
      await Promise.race([keepRunning(stack, interrupted.happened), broken]);
      return code;
    } finally {
      await stack.stop();
    }
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  } finally {
    await directory.close();
  }
}

/** Resolves when `over` does. */
async function keepRunning({ url }: Stack, over: Promise<unknown>): Promise<void> {
  const stopCrons = startCrons(url);
  print(`\n${keptText(url, await localVerifierKey())}\nCtrl-C stops.`);
  await over;
  stopCrons();
}

/** The directory knows only the invented people, so the request is for one of them. */
function keptText(url: string, verifierKey: string): string {
  const endpoint = { base: `${url}/team-openai`, key: LOCAL_KEYS.coderAgents.key };
  return `${styleText("bold", "A request as Coder Agents, on Ada's account")}
${agentsCurl(endpoint, ADA)}

${styleText("bold", "The console")}: ${url}/console
Sign in with ${LOCAL_ADMIN_TOKEN}
${verifierKeyText(verifierKey)}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Resolves with the exit code. */
async function run(url: string, log: EventLog, api: ApiClient): Promise<number> {
  print(styleText("dim", "The requests of three earlier days, with the Workers' clock set back …"));
  const past = await playPast(url, log);
  print(
    `${past.requests} requests of earlier days: sessions with tools and sub-agents, failures of the providers, refusals.\n`,
  );
  const since = new Date().toISOString();
  const steps = story(url);
  const sent = await sendSteps(steps, log);
  printSteps(sent, log);
  const errors = [...past.errors, ...errorsInLog(sent, log)];
  const interceptions = past.requests + interceptionCount(steps);
  return report([...errors, ...(await errorsInLedger(api, since, interceptions))], past, sent.length);
}

async function sendSteps(steps: readonly Step[], log: EventLog): Promise<readonly SentStep[]> {
  const sent: SentStep[] = [];
  for (const step of steps) {
    print(`${mark(steps.indexOf(step))} ${step.title}`);
    const id = await step.send().catch((error: unknown) => {
      throw new Error(`Step ${mark(steps.indexOf(step))} got no readable response: ${sentenceOf(error)}`);
    });
    sent.push({ step, id });
  }
  await log.until(() => sent.every(({ id }) => isComplete(log.of(id))), EVENTS_WITHIN_MS);
  return sent;
}

function printSteps(sent: readonly SentStep[], log: EventLog): void {
  print(`\n${table(sent.map(({ id }, at) => ({ mark: mark(at), row: rowOf(log.of(id)) })))}`);
  print(
    `\n${shortId(ADA)} is Ada and ${shortId(GRACE)} is Grace: users' ids in Coder. Tokens exclude the cache.`,
  );
  print(`\n${styleText("bold", "Whose account: overrides and rejected owner headers")}`);
  sent.forEach(({ id, step }, at) => ownerLines(log, id, step, at).forEach(print));
}

/** Queries the ledger as an auditor would. */
async function errorsInLedger(
  api: ApiClient,
  since: string,
  interceptions: number,
): Promise<readonly string[]> {
  print(`\n${styleText("bold", "Queries of the records API, once the queue has delivered the events …")}`);
  const all = await delivered(api, interceptions);
  const errors = await runQueries(api, queriesOf(since), print);
  return all ? errors : ["The ledger lacks an interception or its end.", ...errors];
}

function mark(index: number): string {
  return `${index + 1}`;
}

/** The recorded override or rejection, and the case of the proposal that it belongs to. */
function ownerLines(log: EventLog, id: string, step: Step, at: number): readonly string[] {
  const events = log.of(id);
  const override = find(events, "initiator_override");
  const rejected = find(events, "initiator_override_rejected");
  const text = override
    ? `${override.actor_id} → ${override.owner_id}`
    : rejected
      ? `rejected (${rejected.reason}): ${rejected.value_length} characters, SHA-256 ${rejected.value_sha256}; stays ${rejected.initiator_id}`
      : step.proposal && "no owner header; stays the actor";
  if (text === undefined) return [];
  return [
    `${mark(at)}  ${text}${step.proposal ? styleText("cyan", `  [proposal, case ${step.proposal}]`) : ""}`,
  ];
}

function errorsInLog(sent: readonly SentStep[], log: EventLog): readonly string[] {
  return sent.flatMap(({ step, id }, at) => {
    const events = log.of(id);
    if (!isComplete(events)) return [`${mark(at)} ${step.title}: events are missing`];
    return differences(rowOf(events), step.expected).map((text) => `${mark(at)} ${step.title}: ${text}`);
  });
}

function report(errors: readonly string[], past: Past, steps: number): number {
  if (errors.length === 0) {
    print(
      styleText(
        "green",
        `\nAll ${past.requests + steps} requests were recorded as expected, in the log and in the ledger.`,
      ),
    );
    return 0;
  }
  print(styleText("red", `\nNot recorded as expected:\n${errors.join("\n")}`));
  return 1;
}
