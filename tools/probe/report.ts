/** The report: Markdown to paste into an issue, without secrets, host names and addresses. */
import type { Finding, Verdict } from "./measurement.ts";
import type { Row } from "./run.ts";

export type Facts = {
  /** ISO 8601. */
  readonly date: string;
  /** Of the project, Node and wrangler. */
  readonly versions: string;
  /** "local wrangler dev", or the locations that served the requests. */
  readonly deployment: string;
  readonly plan: string;
  readonly requests: { readonly used: number; readonly max: number };
  readonly seconds: { readonly used: number; readonly max: number };
  readonly clock: string;
};

/** PRODUCTION questions that need more than this probe. */
const OUT_OF_REACH = [
  "the address that a provider outside Cloudflare sees: run the echo on a host outside Cloudflare (docs/probe.md)",
  "idle limits of WebSockets; redaction in Workers Logs; assets through a service binding; Access in front of long streams",
];

export function formatReport(facts: Facts, rows: readonly Row[]): string {
  const { requests, seconds } = facts;
  const counts = Map.groupBy(rows, ({ finding }) => finding.verdict.kind);
  const summary = [...counts].map(([kind, some]) => `${some.length} ${kind}`).join(", ");
  return [
    "## Probe of the gateway",
    "",
    `- Date: ${facts.date}`,
    `- Versions: ${facts.versions}`,
    `- Deployment: ${facts.deployment}`,
    `- Plan: ${facts.plan}; ${requests.used} requests (at most ${requests.max}), ${seconds.used} s (at most ${seconds.max} s)`,
    `- Clocks: ${facts.clock}`,
    `- Verdicts: ${summary}`,
    "",
    "| question | measured | assumed | verdict |",
    "| --- | --- | --- | --- |",
    ...rows.map(({ measurement: { question, assumed }, finding }) => line(question, assumed, finding)),
    "",
    "Not measured by this probe:",
    "",
    ...OUT_OF_REACH.map((text) => `- ${text}`),
    "",
  ].join("\n");
}

const line = (question: string, assumed: string, { measured, verdict }: Finding): string =>
  `| ${[question, measured, assumed, verdictText(verdict)].map(cell).join(" | ")} |`;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ").trim();

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "as assumed":
      return "as assumed";
    case "differs":
      return `**differs**: ${verdict.change}`;
    case "not measured":
      return `not measured: ${verdict.why}`;
    case "local only":
      return "local only: measure it on Cloudflare's network";
  }
}
