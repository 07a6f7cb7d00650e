/** The text that `npm run reprice` prints. */
import { MAX_POSITIONS } from "../../src/events/cost-correction.ts";
import { aligned } from "../local/aligned.ts";
import { plainText } from "../local/plain-text.ts";
import type { Repricing, ModelChange } from "./find-corrections.ts";

const dollars = (micros: number): string => (micros / 1e6).toFixed(6);

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const HEAD = ["model", "costs", "before", "after", "difference", "newly priced", "no longer priced"];

const cells = ({ model, corrections, before, after, priced, unpriced }: ModelChange): string[] => [
  model === null ? "(no model)" : plainText(model),
  String(corrections),
  dollars(before),
  dollars(after),
  dollars(after - before),
  String(priced),
  String(unpriced),
];

/** `booked`: whether the corrections were sent to the gateway. */
export function foundText(found: Repricing, booked: boolean): string {
  const { corrections, models, read, unrecorded, exhausted } = found;
  const lines = [
    `${plural(read, "recorded cost")} read, ${unrecorded} of which cannot be computed again: a fact is not in the ledger.`,
    ...(exhausted > 0
      ? [
          `${plural(exhausted, "other cost")} cannot be corrected: each has ${MAX_POSITIONS} corrections already.`,
        ]
      : []),
  ];
  if (corrections.length === 0) return `${[...lines, "Nothing to correct."].join("\n")}\n`;
  const total = models.reduce(sum, {
    model: "all",
    corrections: 0,
    before: 0,
    after: 0,
    priced: 0,
    unpriced: 0,
  });
  return `${[
    ...lines,
    "",
    ...aligned([HEAD, ...models.map(cells), cells(total)], (at) => at > 0).map((line) => line.trimEnd()),
    "",
    booked
      ? `${plural(corrections.length, "correction")} booked. Reports have the new costs once the records Worker has stored them.`
      : `Nothing is booked. With --apply --reason <text> ${plural(corrections.length, "correction")} would be.`,
  ].join("\n")}\n`;
}

const sum = (a: ModelChange, b: ModelChange): ModelChange => ({
  model: a.model,
  corrections: a.corrections + b.corrections,
  before: a.before + b.before,
  after: a.after + b.after,
  priced: a.priced + b.priced,
  unpriced: a.unpriced + b.unpriced,
});
