/** Queries of the records API about the demonstration's steps, and the expected results. */
import { ADA, GRACE } from "./people.ts";
import { countDifferences, type DemoQuery } from "./queries.ts";

/** `since`: when the steps began; the days before are left out. */
export const queriesOf = (since: string): readonly DemoQuery[] => [
  {
    title: "Which requests were made on Ada's account, and by which actor?",
    view: "interceptions",
    parameters: { initiator: ADA, started_after: since },
    check: (table) => [
      ...countDifferences(table, "initiator", { [ADA]: 1 }),
      ...countDifferences(table, "actor_id", { "coder-agents-service": 1 }),
      ...countDifferences(table, "attribution", { asserted: 1 }),
    ],
  },
  {
    title: "Which owner headers were accepted, and which rejected?",
    view: "overrides",
    parameters: { started_after: since },
    check: (table) => countDifferences(table, "accepted", { true: 2, false: 3 }),
  },
  {
    title: "How much did each initiator use?",
    view: "usage",
    parameters: { group_by: "initiator", started_after: since },
    check: (table) =>
      countDifferences(table, "initiator", { [ADA]: 1, [GRACE]: 1, "coder-agents-service": 1, alice: 1 }),
  },
  {
    title: "What did each initiator's calls cost?",
    view: "spend",
    parameters: { group_by: "initiator", started_after: since },
    check: (table) => countDifferences(table, "initiator", { [ADA]: 1, alice: 1 }),
  },
  {
    title: "What has Alice's budget left?",
    view: "budgets",
    parameters: { budget: "codex-trial" },
    check: (table) => countDifferences(table, "subject", { alice: 1 }),
  },
  {
    title: "How strong is the evidence for the initiators?",
    view: "attribution",
    parameters: { started_after: since },
    check: (table) =>
      countDifferences(table, "attribution", { asserted: 1, authenticated: 1, unverified: 1 }),
  },
];
