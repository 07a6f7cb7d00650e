/**
 * `npm run tables`: writes the tables of the documentation that are generated from the code, each between its own pair of
 * markers, src/events/record-facts.ts, the writers of events and
 * rows, and the price table. Tests fail when one of them is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CLIENTS, type ClientHeader } from "../src/gateway/client/clients.ts";
import { PRESETS } from "../src/gateway/config/presets.ts";
import { registry } from "../src/gateway/wiring.ts";
import { FINDINGS } from "../src/records/ledger/seal/finding.ts";
import { ENDPOINTS } from "../src/records/api/endpoints.ts";
import { OPERATOR_EVENTS } from "../src/shared/operator-log.ts";
import { RECORDS_REFUSALS } from "../src/shared/records-refusal.ts";
import { REFUSALS } from "../src/shared/refusal.ts";
import { CONFIG_KEYS } from "./tables/config-keys.ts";
import { analyticsTable, eventsTable, fieldsTable, valuesTable } from "./tables/events.ts";
import { code, table } from "./tables/markdown.ts";
import { replaceTables } from "./tables/markers.ts";
import { analyticsWritersText } from "./tables/analytics-writers.ts";
import { eventWritersText } from "./tables/event-writers.ts";
import { priceTableText } from "./tables/prices.ts";
import { recordFactsText } from "./tables/record-facts.ts";
import { costsTable, ledgerTable, ratesTable, retentionTable } from "./tables/scaling.ts";

/** The tables of each page. */
export const PAGES = {
  "docs/clients.md": ["routes"],
  "docs/providers.md": ["presets"],
  "docs/deploy.md": ["retention"],
  "docs/scaling.md": ["ledger", "rates", "costs"],
  "docs/api.md": ["api"],
  "docs/verify.md": ["findings"],
  "docs/reference.md": [
    "config",
    "events",
    "fields",
    "values",
    "interceptions",
    "overrides",
    "clients",
    "refusals",
    "operator-events",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Page = keyof typeof PAGES;
type TableName = (typeof PAGES)[Page][number];

const pathOf = (page: Page): string => fileURLToPath(import.meta.resolve(`../${page}`));

function configTable(): string {
  return table(
    ["key", "read by", "default", "meaning"],
    CONFIG_KEYS.map(({ key, worker, fallback, does }) => [code(key), worker, fallback, does]),
  );
}

type DialectRoute = (typeof registry)["dialects"][number]["routes"][number];

/** The path with `/*` where the route accepts subpaths only, and `[/*]` where it accepts them too. */
function routePath(mount: string, route: DialectRoute): string {
  const acceptsSubpaths = route.kind === "passthrough" && route.below && !route.path.endsWith("/*");
  return code(`${mount}${route.path}${acceptsSubpaths ? "[/*]" : ""}`);
}

function routesTable(): string {
  return table(
    ["type", "intercepted", "passed through"],
    registry.dialects.map(({ type, mount, routes }) => {
      const paths = (kind: DialectRoute["kind"]): string =>
        routes
          .filter((route) => route.kind === kind)
          .map((route) => routePath(mount, route))
          .join(" ");
      return [code(type), paths("intercept"), paths("passthrough")];
    }),
  );
}

function presetsTable(): string {
  return table(
    ["`preset`", "`type`", "`base_url`", "header for keys", "AWS service"],
    Object.entries(PRESETS).map(([name, { type, baseUrl, keyHeader, awsService }]) => [
      code(name),
      code(type),
      code(baseUrl),
      keyHeader === null ? "the dialect's" : code(keyHeader),
      awsService === undefined ? "" : code(awsService),
    ]),
  );
}

const headerCode = ({ name, value }: ClientHeader): string =>
  code(value === undefined ? name : `${name}: ${value}`);

function clientsTable(): string {
  return table(
    ["client", "kind", "User-Agent begins with", "or header", "session id"],
    CLIENTS.map(({ name, kind, userAgent, requires, headers = [], session }) => [
      name,
      code(kind),
      (userAgent.map(code).join(" ") || "–") + (requires ? `, with ${headerCode(requires)}` : ""),
      headers.map(headerCode).join(" ") || "–",
      session
        .map((source) => code("header" in source ? source.header : `body ${source.body}`))
        .join(", else ") || "–",
    ]),
  );
}

function apiTable(): string {
  return table(
    ["endpoint", "response", "parameters"],
    ENDPOINTS.map(({ path, summary, parameters, csv, body }) => {
      const names = [...Object.keys(parameters), ...Object.keys(body?.schema["properties"] ?? {})];
      return [
        code(`${body ? "POST" : "GET"} ${path}`),
        `${summary}${csv ? "; also as CSV" : ""}`,
        names.map(code).join(" ") || "–",
      ];
    }),
  );
}

function refusalsTable(): string {
  return table(
    ["`x-interceptor-error`", "status", "message to the client"],
    Object.entries({ ...REFUSALS, ...RECORDS_REFUSALS }).map(([reason, [status, message]]) => [
      code(reason),
      String(status),
      message,
    ]),
  );
}

function operatorEventsTable(): string {
  return table(
    ["`event`", "meaning"],
    Object.entries(OPERATOR_EVENTS).map(([event, meaning]) => [code(event), meaning]),
  );
}

function findingsTable(): string {
  return table(
    ["finding", "meaning"],
    Object.entries(FINDINGS).map(([kind, meaning]) => [code(kind), meaning]),
  );
}

/** Each table by the name in its markers. */
export const TABLES: Readonly<Record<TableName, () => string>> = {
  config: configTable,
  routes: routesTable,
  presets: presetsTable,
  clients: clientsTable,
  events: eventsTable,
  fields: fieldsTable,
  values: valuesTable,
  api: apiTable,
  findings: findingsTable,
  interceptions: () => analyticsTable("interceptions"),
  overrides: () => analyticsTable("overrides"),
  refusals: refusalsTable,
  "operator-events": operatorEventsTable,
  retention: retentionTable,
  ledger: ledgerTable,
  rates: ratesTable,
  costs: costsTable,
};

/**
 * Generates each table of the page between its markers, and formats the page.
 * @throws when a marker is missing.
 */
export function withTables(page: Page, text: string): Promise<string> {
  const tables = Object.fromEntries(PAGES[page].map((name) => [name, TABLES[name]()]));
  return replaceTables(pathOf(page), text, tables);
}

export const EVENT_WRITERS_PATH = fileURLToPath(import.meta.resolve("../src/events/event-writers.ts"));
export const ANALYTICS_WRITERS_PATH = fileURLToPath(
  import.meta.resolve("../src/gateway/sinks/analytics-writers.ts"),
);
export const RECORD_FACTS_PATH = fileURLToPath(import.meta.resolve("../src/events/record-facts.ts"));
export const PRICE_TABLE_PATH = fileURLToPath(import.meta.resolve("../src/shared/prices/price-table.ts"));

/** The page as it is stored. */
export const pageText = (page: Page): string => readFileSync(pathOf(page), "utf8");

export async function main(): Promise<number> {
  for (const page of Object.keys(PAGES) as Page[])
    writeFileSync(pathOf(page), await withTables(page, pageText(page)));
  writeFileSync(EVENT_WRITERS_PATH, await eventWritersText(EVENT_WRITERS_PATH));
  writeFileSync(ANALYTICS_WRITERS_PATH, await analyticsWritersText(ANALYTICS_WRITERS_PATH));
  writeFileSync(PRICE_TABLE_PATH, await priceTableText(PRICE_TABLE_PATH));
  writeFileSync(RECORD_FACTS_PATH, await recordFactsText(RECORD_FACTS_PATH));
  return 0;
}
