/**
 * `npm run tables`: writes the tables of README.md that the code knows better, each between its own pair of markers.
 * test/docs/tables.test.ts fails where the README has fallen behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { ENDPOINTS } from "../src/api/endpoints.ts";
import { CLIENTS } from "../src/client/clients.ts";
import { REFUSAL_REASONS } from "../src/refusal.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS } from "../src/sinks/columns.ts";
import { catalogue } from "../src/wiring.ts";
import { CONFIG_KEYS } from "./tables/config-keys.ts";
import { EVENT_KINDS, sampleEvents } from "./tables/sample-events.ts";

const README = fileURLToPath(import.meta.resolve("../README.md"));

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
export const TABLES: Readonly<Record<string, () => string>> = {
  config: () =>
    table(
      ["key", "default", "what it does"],
      CONFIG_KEYS.map(({ key, otherwise, does }) => [code(key), otherwise, does]),
    ),
  routes: () =>
    table(
      ["type", "intercepted", "passed through"],
      catalogue.dialects.map(({ type, mount, routes }) => {
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
  events: () =>
    table(
      ["record_type", "when", "fields"],
      sampleEvents().map((event) => [
        code(event.record_type),
        EVENT_KINDS[event.record_type],
        Object.keys(event)
          .filter((field) => field !== "record_type")
          .map(code)
          .join(" "),
      ]),
    ),
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
      Object.entries(REFUSAL_REASONS).map(([reason, [status, message]]) => [
        code(reason),
        String(status),
        message,
      ]),
    ),
};

/** The text with every table between its markers written anew, and formatted. Throws where a marker is missing. */
export async function withTables(text: string): Promise<string> {
  const written = Object.entries(TABLES).reduce((whole, [name, write]) => {
    const [begin, end] = [`<!-- table: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`README.md has no table ${name}`);
    return `${whole.slice(0, from + begin.length)}\n\n${write()}\n\n${whole.slice(to)}`;
  }, text);
  const options = await prettier.resolveConfig(README);
  return prettier.format(written, { ...options, parser: "markdown" });
}

/** The README as it stands. */
export const readme = (): string => readFileSync(README, "utf8");

export async function main(): Promise<number> {
  writeFileSync(README, await withTables(readme()));
  return 0;
}
