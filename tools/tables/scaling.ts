/** The tables of docs/scaling.md and docs/deploy.md that follow from the measured figures. */
import {
  bytesOf,
  CALLS_PER_DEVELOPER,
  GB,
  LEDGER,
  LOG,
  MAX_GB,
  sealBytesOf,
  SEALED_PER_MINUTE,
  SEALS,
  STORED_PER_SECOND,
  type Kind,
} from "./figures.ts";
import { table } from "./markdown.ts";

const KINDS: readonly Kind[] = ["plain", "mixed"];
const RATES = [10, 1000, 100_000] as const;
const SECONDS_PER_DAY = 86_400;
const DAYS_PER_MONTH = 30;

const whole = (value: number): string => Math.round(value).toLocaleString("en");
const digits = (value: number, count: number): string =>
  Number(value.toPrecision(count)).toLocaleString("en", { maximumSignificantDigits: count });

/** How long the ledger lasts at this rate before it reaches this size. */
const daysToFill = (perSecond: number, gigabytes: number): number =>
  (gigabytes * GB) / (bytesOf("mixed") * perSecond * SECONDS_PER_DAY);

/** As many days fit at 10 requests per second. */
export const LEDGER_DAYS = Math.floor(daysToFill(10, MAX_GB));

const sealed = (kind: Kind, each: number): number => each * LEDGER[kind].events;

const row = (name: string, value: (kind: Kind) => string): readonly string[] => [name, ...KINDS.map(value)];

/** The rows that D1 bills for an interception, and its bytes. */
export function ledgerTable(): string {
  return table(
    ["in the ledger", "plain", "mixed"],
    [
      row("rows written, start and end in one batch", (kind) => LEDGER[kind].together.toFixed(1)),
      row("rows written, start and end apart", (kind) => LEDGER[kind].apart.toFixed(1)),
      row("rows written by the sealer", (kind) => sealed(kind, SEALS.written).toFixed(2)),
      row("rows deleted after `RETENTION_DAYS`", (kind) => LEDGER[kind].deleted.toFixed(1)),
      row("rows read, start and end apart", (kind) => whole(LEDGER[kind].read + sealed(kind, SEALS.read))),
      row("bytes of its rows, with indices", (kind) => whole(LEDGER[kind].bytes)),
      row("bytes of the log of seals", (kind) => whole(sealBytesOf(kind))),
      row("**bytes in all**", (kind) => `**${whole(bytesOf(kind))}**`),
      row("interceptions per second in wrangler's local D1", (kind) =>
        kind === "mixed" ? whole(STORED_PER_SECOND) : "",
      ),
      row(`millions in ${MAX_GB} GB (\`RETENTION.max_gb\`)`, (kind) =>
        ((MAX_GB * GB) / bytesOf(kind) / 1e6).toFixed(1),
      ),
    ],
  );
}

/** The largest unit of which there is at least one. */
function duration(days: number): string {
  const hours = days * 24;
  if (days >= 1) return `${days.toFixed(1)} days`;
  return hours >= 1 ? `${hours.toFixed(1)} hours` : `${whole(hours * 3600)} seconds`;
}

const perMonth = (perSecond: number): number => perSecond * SECONDS_PER_DAY * DAYS_PER_MONTH;

function amountOf(count: number): string {
  return count < 1e9 ? `${digits(count / 1e6, 2)} million` : `${digits(count / 1e9, 2)} billion`;
}

/** The use of each limit, by the rate of requests. */
export function ratesTable(): string {
  const byRate = (name: string, value: (perSecond: number) => string): readonly string[] => [
    name,
    ...RATES.map(value),
  ];
  return table(
    ["", ...RATES.map((perSecond) => `${whole(perSecond)}/s`)],
    [
      byRate("interceptions per month", (perSecond) => amountOf(perMonth(perSecond))),
      byRate(`fills ${MAX_GB} GB of D1 in`, (perSecond) => duration(daysToFill(perSecond, MAX_GB))),
      byRate(`events per minute, of ${whole(SEALED_PER_MINUTE)} that the sealer takes`, (perSecond) =>
        whole(perSecond * 60 * LEDGER.mixed.events),
      ),
      byRate("messages per second, of 5,000", (perSecond) => whole(perSecond * 2)),
      byRate("batches per second, of about 20 in D1", (perSecond) => digits(perSecond / 50, 2)),
      [
        "**do this**",
        `\`RETENTION_DAYS=${LEDGER_DAYS}\`, \`ARCHIVE\` for the rest`,
        "`ARCHIVE` alone, or a database for each group of users",
        "log lines to object storage by Logpush",
      ],
    ],
  );
}

type Billed = {
  readonly name: string;
  readonly amount: number;
  readonly unit: "million" | "GB";
  /** In millions or GB a month. */
  readonly included: number;
  readonly price: number;
};

const space = (days: number, kilobytes: number): number => (kilobytes * days) / DAYS_PER_MONTH;

const BILLED: readonly Billed[] = [
  { name: "Worker requests, both Workers", amount: 1.02, unit: "million", included: 10, price: 0.3 },
  {
    name: "Worker processor time, ms",
    amount: 1 + SEALS.cpuMs * LEDGER.mixed.events,
    unit: "million",
    included: 30,
    price: 0.02,
  },
  { name: "Analytics Engine, points", amount: 5 / 3, unit: "million", included: 10, price: 0.25 },
  { name: "Workers Logs, ingestion", amount: LOG.kilobytes, unit: "GB", included: 50, price: 0.25 },
  {
    name: "Workers Logs, space of 7 days",
    amount: space(7, LOG.kilobytes),
    unit: "GB",
    included: 12,
    price: 0.1,
  },
  { name: "Logpush, requests", amount: 1.02, unit: "million", included: 10, price: 0.05 },
  { name: "queue operations", amount: 6, unit: "million", included: 1, price: 0.4 },
  {
    name: "D1, rows written and deleted",
    amount: LEDGER.mixed.apart + SEALS.written * LEDGER.mixed.events + LEDGER.mixed.deleted,
    unit: "million",
    included: 50,
    price: 1,
  },
  {
    name: "D1, rows read by writing and sealing",
    amount: LEDGER.mixed.read + SEALS.read * LEDGER.mixed.events,
    unit: "million",
    included: 25_000,
    price: 0.001,
  },
  {
    name: `D1, space of ${LEDGER_DAYS} days`,
    amount: space(LEDGER_DAYS, bytesOf("mixed") / 1000),
    unit: "GB",
    included: 5,
    price: 0.75,
  },
  { name: "R2, writes", amount: 0.02, unit: "million", included: 1, price: 4.5 },
  { name: "R2, space of a month", amount: 0.5, unit: "GB", included: 10, price: 0.015 },
];

const dollars = (value: number): string =>
  value < 10 ? String(Math.round(value * 10) / 10) : Number(value.toPrecision(3)).toLocaleString("en");

const includedText = ({ unit, included }: Billed): string => {
  if (unit === "GB") return `${included} GB`;
  return included < 1000 ? `${included} million` : `${included / 1000} billion`;
};

export function costsTable(): string {
  const rows = BILLED.map((billed) => {
    // The stated amounts, so that a reader can recompute each cell.
    const amount = Number(billed.amount.toPrecision(3));
    const costs = RATES.map(
      (perSecond) => Math.max(0, amount * (perMonth(perSecond) / 1e6) - billed.included) * billed.price,
    );
    const { name, unit, price } = billed;
    const per = `${amount}${unit === "GB" ? " KB" : ""}`;
    const priceText = `${price < 0.01 || price === 0.015 ? price : price.toFixed(2)} per ${unit}`;
    return { costs, cells: [name, per, includedText(billed), priceText, ...costs.map(dollars)] };
  });
  const sums = RATES.map((_, at) => rows.reduce((sum, { costs }) => sum + (costs[at] ?? 0), 0));
  return table(
    ["billed", "per interception", "included", "price", ...RATES.map((perSecond) => `${whole(perSecond)}/s`)],
    [...rows.map(({ cells }) => cells), ["**sum**", "", "", "", ...sums.map((sum) => `**${dollars(sum)}**`)]],
  ).replace(/(?<=\| --- \|.*)---/g, "--:");
}

const TEAMS = [50, 500, 2000, 10_000];
const PERIODS = [7, 30, 90];
const DAYS_PER_YEAR = 365;

/** How much a team stores, and how many days fit. */
export function retentionTable(): string {
  const rows = TEAMS.map((developers) => {
    const calls = developers * CALLS_PER_DEVELOPER;
    const gigabytes = (bytes: number, days: number): number => (calls * bytes * days) / GB;
    const size = (value: number): string => (value < 10 ? value.toFixed(1) : whole(value));
    const fits = (kind: Kind): string => whole(Math.floor(MAX_GB / gigabytes(bytesOf(kind), 1)));
    return [
      whole(developers),
      whole(calls),
      ...PERIODS.map((days) => size(gigabytes(bytesOf("mixed"), days))),
      fits("mixed"),
      fits("plain"),
      size(gigabytes(sealBytesOf("mixed"), DAYS_PER_YEAR)),
    ];
  });
  const head = [
    "developers",
    "calls a day",
    ...PERIODS.map((days) => `GB in ${days} days`),
    `days in ${MAX_GB} GB`,
    "days in 8 GB, plain calls",
    "GB of seals in a year",
  ];
  return rightAligned(table(head, rows));
}

/** The first column as well, where it has numbers. */
const rightAligned = (text: string): string => text.replaceAll("---", "--:");
