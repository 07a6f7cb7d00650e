/**
 * What an endpoint is: one definition that its handler, its parameters' reading and the OpenAPI document are all made
 * of.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { toCsv, type Table } from "./csv.ts";
import type { Explain } from "../contract.ts";
import type { QueryLedger } from "./query-ledger.ts";
import { oneOf, type Filter, type Parameter } from "./parameter.ts";
import { readTexts, readValues, type Parameters, type Values } from "./query.ts";
import type { Schema } from "../../../shared/json-schema.ts";
import { allOf, type Condition } from "./sql.ts";

/** What came in. */
export type EndpointRequest = {
  readonly search: string;
  /** The path's last part, where the endpoint's path has a variable one; else "". */
  readonly id: string;
  readonly accept: string;
  /** What was sent, as JSON reads it; null where the endpoint takes no body. */
  readonly body: unknown;
  readonly query: QueryLedger;
  readonly explain: Explain;
  readonly now: number;
};

export type EndpointResult = {
  readonly body: object;
  /** The same as a table, where the endpoint has one. */
  readonly table?: Table;
};

/** A body of JSON, its fields checked by the handler. */
export type Body = {
  readonly schema: Schema;
  /** Field → what a good value is, for whoever sent a bad one. */
  readonly rules: Readonly<Record<string, string>>;
};

export type Definition<P extends Parameters> = {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** What leaves only some rows: read and put together here, so that no handler can forget one. */
  readonly filters: Readonly<Record<string, Filter>>;
  readonly parameters: P;
  /** Can be had as CSV. */
  readonly csv?: boolean;
  /** What is asked stands in a body: by POST, and by nothing else. */
  readonly body?: Body;
  readonly response: Schema;
  readonly handle: (
    values: Values<P>,
    matches: Condition,
    question: EndpointRequest,
  ) => Promise<EndpointResult | Refusal> | EndpointResult;
};

export type Endpoint = {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: Parameters;
  readonly csv: boolean;
  readonly body: Body | null;
  readonly response: Schema;
  readonly respond: (question: EndpointRequest) => Promise<Response | Refusal>;
};

const FORMAT: Parameter<"json" | "csv" | null> = oneOf(
  ["json", "csv"],
  null,
  "JSON, unless `Accept` asks for `text/csv` and not for JSON.",
);

export function endpoint<const P extends Parameters>(definition: Definition<P>): Endpoint {
  const {
    path,
    summary,
    description,
    filters,
    parameters: own,
    csv = false,
    response: answer,
    handle,
  } = definition;
  const { body = null } = definition;
  const shape = csv ? { format: FORMAT } : {};
  const parameters: Parameters = { ...filters, ...own, ...shape };
  const respond: Endpoint["respond"] = async (question) => {
    const sent = readTexts(question.search, parameters);
    if (sent instanceof Refusal) return sent;
    const conditions = readValues(sent, filters);
    if (conditions instanceof Refusal) return conditions;
    const values = readValues(sent, own);
    if (values instanceof Refusal) return values;
    const shaped = readValues(sent, shape);
    if (shaped instanceof Refusal) return shaped;
    const matches = allOf(Object.values(conditions).filter((one) => one !== null));
    const answered = await handle(values, matches, question);
    if (answered instanceof Refusal) return answered;
    return toResponse(answered, shaped.format ?? (prefersCsv(question.accept) ? "csv" : "json"));
  };
  return { path, summary, description, parameters, csv, body, response: answer, respond };
}

export const methodsOf = ({ body }: Endpoint): readonly string[] => (body ? ["POST"] : ["GET", "HEAD"]);

function toResponse({ body, table }: EndpointResult, format: "json" | "csv"): Response {
  if (!table) return Response.json(body);
  const response =
    format === "json"
      ? Response.json(body)
      : new Response(toCsv(table), {
          headers: { "content-type": "text/csv; charset=utf-8; header=present" },
        });
  response.headers.set("vary", "accept");
  return response;
}

function prefersCsv(accept: string): boolean {
  return /\btext\/csv\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept);
}
