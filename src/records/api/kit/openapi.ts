/** The OpenAPI 3.1 document, generated from the definitions of the endpoints. */
import { ROUTE_PREFIXES } from "../../../shared/http/target.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import * as schema from "../../../shared/json-schema.ts";

const ERROR = schema.object(
  {
    message: schema.TEXT,
    validations: schema.withDescription(
      schema.list(schema.object({ field: schema.TEXT, detail: schema.TEXT })),
      "The invalid parameter or field, and the rule for its value.",
    ),
  },
  ["validations"],
);

const FAILURES = {
  400: "A parameter is invalid, unknown, or sent twice",
  401: "The admin token or the console's session is missing or not valid",
  403: "The token or session lacks the scope",
  404: "The route, the session or the event does not exist",
  405: "The method is not GET or HEAD",
  503: "The ledger is not configured or could not be read",
};

const RETRY_AFTER = {
  "Retry-After": {
    description: "Seconds to wait before the request is sent again.",
    schema: { type: "integer" },
  },
};

/** Of the endpoints over the log of seals. */
const SEAL_FAILURES = { ...FAILURES, 409: "The event is not sealed, or nothing is" };

const failuresOf = ({ path, body }: Endpoint): Readonly<Record<string, string>> => {
  if (body) return BODY_FAILURES;
  return /^\/(?:proof|checkpoint)\b/.test(path) ? SEAL_FAILURES : FAILURES;
};

/** For endpoints with a body, which do not read the ledger. */
const BODY_FAILURES = {
  400: "The body is not JSON, or one of its fields is invalid or unknown",
  401: FAILURES[401],
  403: "The token or session lacks the scope, or the console's own page did not send the request",
  405: "The method is not POST",
  413: "The body is too large",
  415: "The body is compressed",
};

/** Of every endpoint that has a `limit`. */
const PAGE_HEADERS = {
  "X-Total-Count": {
    description: "The number of matches on all pages. Absent where the count stopped at its cap.",
    schema: schema.COUNT,
  },
  Link: {
    description:
      'The next page as `<?…>; rel="next"` (RFC 8288), relative to the request\'s URL; absent on the last page. Threads also have `rel="prev"`.',
    schema: schema.TEXT,
  },
};

/** `all`: every endpoint, including this one. */
export function openapi(all: () => readonly Endpoint[]): Endpoint {
  return endpoint({
    path: "/openapi.json",
    records: false,
    summary: "This document",
    description:
      "OpenAPI 3.1, generated from the definitions that parse the requests and build the responses.",
    filters: {},
    parameters: {},
    response: { type: "object", required: ["openapi", "paths"], additionalProperties: true },
    handle: async () => ({ body: toDocument(all()) }),
  });
}

export function toDocument(endpoints: readonly Endpoint[]): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "AI Edge Interceptor: records",
      version: "1",
      description:
        "The recorded model calls: who called which model, on whose account, and with which usage. Every request needs an admin token or a session of the console.",
    },
    servers: ROUTE_PREFIXES.map((url) => ({ url })),
    security: [{ bearer: [] }, { session_token: [] }, { console: [] }],
    paths: Object.fromEntries(
      endpoints.map((each) => [each.path, { [each.body ? "post" : "get"]: toOperation(each) }]),
    ),
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "The admin token." },
        session_token: {
          type: "apiKey",
          in: "header",
          name: "Coder-Session-Token",
          description: "The admin token, in the header that Coder's own clients use.",
        },
        console: {
          type: "apiKey",
          in: "cookie",
          name: "__Host-console",
          description:
            "A session of the console, on the console's host only. A POST needs its CSRF token in `x-csrf-token`, and `Origin` and `Sec-Fetch-Site` of the console's own page.",
        },
      },
      schemas: { Error: ERROR },
    },
  };
}

function toOperation(operation: Endpoint): object {
  const { path, summary, description, parameters, csv, body, response, scope } = operation;
  const variable = /\{(\w+)\}/.exec(path)?.[1];
  return {
    operationId: path.replace(/\W+/g, "_").replace(/^_|_$/g, ""),
    summary,
    description: scope === "read" ? description : `${description} Needs the scope \`${scope}\`.`,
    parameters: [
      ...(variable === undefined
        ? []
        : [{ name: variable, in: "path", required: true, schema: { type: "string" } }]),
      ...Object.entries(parameters).map(([name, parameter]) => ({
        name,
        in: "query",
        description: parameter.description,
        schema: parameter.schema,
      })),
    ],
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: body.schema } } },
    }),
    responses: {
      200: {
        description: "Success",
        ...("limit" in parameters ? { headers: PAGE_HEADERS } : {}),
        content: {
          "application/json": { schema: response },
          ...(csv ? { "text/csv": { schema: { type: "string" } } } : {}),
        },
      },
      ...Object.fromEntries(
        Object.entries(failuresOf(operation)).map(([status, reason]) => [
          status,
          {
            description: reason,
            ...(status === "503" && { headers: RETRY_AFTER }),
            content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
          },
        ]),
      ),
    },
  };
}
