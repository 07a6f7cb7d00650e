/** Makes an endpoint from one definition: its handler, the parser of its parameters, and its OpenAPI documentation. */
import type { AnyRefusal } from "../../../shared/records-refusal.ts";
import { Refusal, TableRefusal } from "../../../shared/refusal.ts";
import { contentCheck } from "./content.ts";
import { csvName } from "./csv-name.ts";
import { toCsv, type Table } from "../../../shared/csv.ts";
import { setPageHeaders, type Page } from "./page.ts";
import { invalidFilter } from "./invalid-filter.ts";
import type { QueryLedger } from "./query-ledger.ts";
import type { SealReader } from "./seal-reader.ts";
import { oneOf, type Filter, type Parameter } from "./parameter.ts";
import { readTexts, readValues, type Parameters, type Values } from "./query.ts";
import type { Schema } from "../../../shared/json-schema.ts";
import type { Scope } from "../../../shared/scopes.ts";
import { allOf, type Condition } from "./sql.ts";

/** The parts of an authorized request that endpoints read. */
export type EndpointRequest = {
  /** The query string, with its `?`; empty where there is none. */
  readonly search: string;
  /** The path's variable segment, decoded; "" where the endpoint has none. */
  readonly id: string;
  readonly accept: string;
  readonly query: QueryLedger;
  readonly seals: SealReader;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether the response may have recorded content: the reader has the scope `content`, and the request does not leave it out. */
  readonly readsContent: boolean;
};

export type EndpointResult = {
  readonly body: object;
  /** The same content as a table, where the endpoint serves CSV. */
  readonly table?: Table;
  /** Where the endpoint serves a list in pages. */
  readonly page?: Page;
};

/** A JSON body. */
export type Body = {
  readonly schema: Schema;
  /** Name of a field → the rule for its value. */
  readonly rules: Readonly<Record<string, string>>;
};

type Handle<P extends Parameters> = (
  values: Values<P>,
  matches: Condition,
  /** `sent`: the texts of the parameters that the request has, by name. */
  request: EndpointRequest & { readonly sent: ReadonlyMap<string, string> },
) => Promise<EndpointResult | AnyRefusal>;

export type Definition<P extends Parameters> = {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** Parameters that select rows. They become one condition here, so that a handler cannot omit one. */
  readonly filters: Readonly<Record<string, Filter>>;
  readonly parameters: P;
  /** Whether the result is also served as CSV. */
  readonly csv?: boolean;
  /** An endpoint with a body accepts POST only. */
  readonly body?: Body;
  readonly response: Schema;
  /** The scope that it needs; `read` by default. */
  readonly scope?: Scope;
  /** false: it returns no records, so that reading it is not recorded. */
  readonly records?: false;
  /** Absent where the gateway serves the endpoint, which is then documented here, and forwarded where the gateway is bound. */
  readonly handle?: Handle<P>;
};

export type Endpoint = {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: Parameters;
  readonly csv: boolean;
  readonly body: Body | null;
  readonly response: Schema;
  /** Served by the gateway, and documented here. */
  readonly isOfGateway: boolean;
  readonly scope: Scope;
  readonly respond: (request: EndpointRequest) => Promise<EndpointResponse | AnyRefusal>;
};

export type EndpointResponse = {
  readonly response: Response;
  /** The records in it; null where the response has no record of the ledger. */
  readonly read: {
    readonly rows: number;
    readonly parameters: Readonly<Record<string, string>>;
    /** Whether the response has recorded content. */
    readonly content: boolean;
  } | null;
};

const FORMAT: Parameter<"json" | "csv" | null> = oneOf(
  ["json", "csv"],
  null,
  "The response's format. The default is JSON, unless `Accept` lists `text/csv` and not `application/json`.",
);

const CONTENT: Parameter<"true" | "false"> = {
  ...oneOf(
    ["true", "false"],
    "true",
    "`false` leaves recorded content and its digests out: they are null, and the event of the read is `read`. Without the scope `content`, they are always left out.",
  ),
  rule: "must be true or false, and true with a filter by recorded content",
};

export function endpoint<const P extends Parameters>(definition: Definition<P>): Endpoint {
  const { path, summary, description, filters, csv = false, body = null, handle } = definition;
  const { scope = "read" } = definition;
  const hasContent = contentCheck(definition.response);
  const general = { ...(csv && { format: FORMAT }), ...(hasContent && { content: CONTENT }) };
  const parameters: Parameters = { ...filters, ...definition.parameters, ...general };
  const respond: Endpoint["respond"] = async (request) => {
    if (!handle) return new Refusal("not_found", { detail: `the gateway serves ${path}` });
    const texts = readTexts(request.search, parameters);
    if (texts instanceof Refusal) return texts;
    // Its matches would tell what the content is.
    const isOracle = [...texts.keys()].some((name) => parameters[name]?.content);
    if (isOracle && !request.readsContent) return new Refusal("scope_missing", { detail: "content" });
    const conditions = readValues(texts, filters);
    if (conditions instanceof Refusal) return conditions;
    const values = readValues(texts, definition.parameters);
    if (values instanceof Refusal) return values;
    const form = readValues(texts, general);
    if (form instanceof Refusal) return form;
    const readsContent = request.readsContent && form.content !== "false";
    if (isOracle && !readsContent) return invalidFilter("content", "is false with a filter by content");
    const matches = allOf(Object.values(conditions).filter((condition) => condition !== null));
    const result = await handle(values, matches, { ...request, readsContent, sent: texts });
    if (result instanceof TableRefusal) return result;
    const kind = form.format ?? (prefersCsv(request.accept) ? "csv" : "json");
    const shown = hasContent && !readsContent ? withHidden(result) : result;
    const read = {
      rows: rowsOf(result),
      parameters: recordedParameters(texts, parameters),
      content: hasContent?.(result.body) ?? false,
    };
    return {
      response: toResponse(shown, kind, { path, search: request.search }),
      read: definition.records === false ? null : read,
    };
  };
  return {
    path,
    summary,
    description,
    parameters,
    csv,
    body,
    response: hasContent ? withHiddenField(definition.response) : definition.response,
    isOfGateway: handle === undefined,
    scope,
    respond,
  };
}

/** As the event of the read has them. Its readers need not have the scope `content`, so that it has no digest of content. */
const recordedParameters = (
  texts: ReadonlyMap<string, string>,
  parameters: Parameters,
): Readonly<Record<string, string>> =>
  Object.fromEntries([...texts].map(([name, text]) => [name, parameters[name]?.content ? "(hidden)" : text]));

const withHidden = ({ body, ...rest }: EndpointResult): EndpointResult => ({
  ...rest,
  body: { ...body, content_hidden: true },
});

/** The schema of a response that may lack its content. */
const withHiddenField = (response: Schema): Schema => ({
  ...response,
  properties: {
    ...(response["properties"] as Readonly<Record<string, Schema>>),
    content_hidden: {
      type: "boolean",
      const: true,
      description:
        "Present only if the reader lacks the scope `content`, or the request has `content=false`. Recorded content and its digests are then null in this response.",
    },
  },
});

/** The entries of the body's first list; one where it has none. */
function rowsOf({ body }: EndpointResult): number {
  const list: unknown = Object.values(body).find((value) => Array.isArray(value));
  return Array.isArray(list) ? list.length : 1;
}

/** The methods that an endpoint allows. The gateway accepts no HEAD for its own routes. */
export const methodsOf = ({ body, isOfGateway }: Endpoint): readonly string[] =>
  body ? ["POST"] : isOfGateway ? ["GET"] : ["GET", "HEAD"];

/** A browser saves a table, and never shows it as a page. */
const csvHeaders = (name: string): Record<string, string> => ({
  "content-type": "text/csv; charset=utf-8; header=present",
  "content-disposition": `attachment; filename="${name}"`,
});

type Sent = { readonly path: string; readonly search: string };

function toResponse({ body, table, page }: EndpointResult, format: "json" | "csv", sent: Sent): Response {
  const { path, search } = sent;
  const response =
    table && format === "csv"
      ? new Response(toCsv(table), { headers: csvHeaders(csvName(path, { ...body })) })
      : Response.json(body);
  if (table) response.headers.set("vary", "accept");
  if (page) setPageHeaders(response.headers, page, search);
  return response;
}

function prefersCsv(accept: string): boolean {
  return /\btext\/csv\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept);
}
