/**
 * `npm run tables`: writes the tables of the documentation that the code knows better, each between its own pair of
 * markers. test/docs/tables.test.ts fails where a page has fallen behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { ENDPOINTS } from "../src/records/api/endpoints.ts";
import { CLIENTS } from "../src/gateway/client/clients.ts";
import { REFUSALS } from "../src/shared/refusal.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS } from "../src/gateway/sinks/analytics-row.ts";
import { registry } from "../src/gateway/wiring.ts";
import { CONFIG_KEYS } from "./tables/config-keys.ts";
import { EVENT_KINDS, sampleEvents } from "./tables/sample-events.ts";

/** Which page has which tables. */
export const PAGES = {
  "README.md": ["routes", "api"],
  "docs/reference.md": ["config", "events", "interceptions", "overrides", "clients", "refusals"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Page = keyof typeof PAGES;
type TableName = (typeof PAGES)[Page][number];

const pathOf = (page: Page): string => fileURLToPath(import.meta.resolve(`../${page}`));

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const code = (text: string): string => `\`${text}\``;

const rows = (kind: string, columns: readonly { name: string; is: string }[]): Row[] =>
  columns.map(({ name, is }, at) => [code(`${kind}${at + 1}`), code(name), is]);

function columnRows({ blobs, doubles }: typeof INTERCEPTION_COLUMNS | typeof OVERRIDE_COLUMNS): Row[] {
  return [
    ["`index1`", "`initiator_id`", "at most 96 bytes"],
    ...rows("blob", blobs),
    ...rows("double", doubles),
  ];
}

/** Each table by the name in its markers. */
export const TABLES: Readonly<Record<TableName, () => string>> = {
  config: () =>
    table(
      ["key", "default", "what it does"],
      CONFIG_KEYS.map(({ key, otherwise, does }) => [code(key), otherwise, does]),
    ),
  routes: () =>
    table(
      ["type", "intercepted", "passed through"],
      registry.dialects.map(({ type, mount, routes }) => {
        const paths = (kind: string): string =>
          routes
            .filter((route) => route.kind === kind)
            .map((route) => {
              const below = route.kind === "passthrough" && route.below && !route.path.endsWith("/*");
              return code(`${mount}${route.path}${below ? "[/*]" : ""}`);
            })
            .join(" ");
        return [code(type), paths("intercept"), paths("passthrough")];
      }),
    ),
  clients: () =>
    table(
      ["client", "User-Agent begins with", "or header", "session id"],
      CLIENTS.map(({ name, userAgent, header, session }) => [
        name,
        userAgent.map(code).join(" ") || "–",
        header ? code(header.value === undefined ? header.name : `${header.name}: ${header.value}`) : "–",
        session
          .map((source) => code("header" in source ? source.header : `body ${source.body}`))
          .join(", else ") || "–",
      ]),
    ),
  events: () => {
    const events = sampleEvents().map((event) => ({ event, fields: Object.keys(event) }));
    const lists = events.map(({ fields }) => fields).filter((fields) => fields.includes("user_agent"));
    const caller = (lists[0] ?? []).filter((field) => lists.every((fields) => fields.includes(field)));
    const own = (fields: readonly string[]): readonly string[] => {
      const isCaller = fields.includes("user_agent");
      const rest = fields.filter((field) => field !== "record_type" && !(isCaller && caller.includes(field)));
      return [...(isCaller ? ["_the caller_"] : []), ...rest.map(code)];
    };
    const shared = caller.filter((field) => field !== "record_type").map(code);
    return table(
      ["record_type", "when", "fields"],
      [
        ["_the caller_", "in each event below that says so", shared.join(" ")],
        ...events.map(({ event, fields }) => [
          code(event.record_type),
          EVENT_KINDS[event.record_type],
          own(fields).join(" "),
        ]),
      ],
    );
  },
  api: () =>
    table(
      ["", "what it answers", "parameters"],
      ENDPOINTS.map(({ path, summary, parameters, csv, body }) => [
        code(`${body ? "POST" : "GET"} ${path}`),
        `${summary}${csv ? "; also as CSV" : ""}`,
        [...Object.keys(parameters), ...Object.keys(body?.schema["properties"] ?? {})].map(code).join(" ") ||
          "–",
      ]),
    ),
  interceptions: () => table(["column", "name", "what it holds"], columnRows(INTERCEPTION_COLUMNS)),
  overrides: () => table(["column", "name", "what it holds"], columnRows(OVERRIDE_COLUMNS)),
  refusals: () =>
    table(
      ["`x-interceptor-error`", "status", "what the client is told"],
      Object.entries(REFUSALS).map(([reason, [status, message]]) => [code(reason), String(status), message]),
    ),
};

/** The page's text with each of its tables between its markers written anew, and formatted. Throws where one is missing. */
export async function withTables(page: Page, text: string): Promise<string> {
  const written = PAGES[page].reduce((whole, name) => {
    const [begin, end] = [`<!-- table: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${page} has no table ${name}`);
    return `${whole.slice(0, from + begin.length)}\n\n${TABLES[name]()}\n\n${whole.slice(to)}`;
  }, text);
  const options = await prettier.resolveConfig(pathOf(page));
  return prettier.format(written, { ...options, parser: "markdown" });
}

/** The page as it stands. */
export const pageText = (page: Page): string => readFileSync(pathOf(page), "utf8");

export async function main(): Promise<number> {
  for (const page of Object.keys(PAGES) as Page[])
    writeFileSync(pathOf(page), await withTables(page, pageText(page)));
  return 0;
}
