/** The OpenAPI 3.1 document, made of the definitions that the handlers are made of. */
import { ROUTE_PREFIXES } from "../../../shared/http/target.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import * as schema from "../../../shared/json-schema.ts";

const ERROR = schema.object(
  {
    message: schema.TEXT,
    validations: schema.withDescription(
      schema.list(schema.object({ field: schema.TEXT, detail: schema.TEXT })),
      "The parameter at fault.",
    ),
  },
  ["validations"],
);

const FAILURES = {
  400: "A parameter is not valid, is not known, or is sent twice",
  401: "Not the admin token",
  404: "There is no such route, or no such session",
  405: "Another method than GET or HEAD",
  503: "The ledger could not be read, or there is none",
};

/** Of what is asked in a body: it asks no ledger. */
const BODY_FAILURES = {
  400: "The body is no JSON, or a field of it is not valid or not known",
  401: FAILURES[401],
  405: "Another method than POST",
  413: "The body is too large",
  415: "The body is compressed",
};

/** `all`: every endpoint, this document's own among them. */
export function openapi(all: () => readonly Endpoint[]): Endpoint {
  return endpoint({
    path: "/openapi.json",
    summary: "This document",
    description: "OpenAPI 3.1, made of the definitions that requests are read and answered by.",
    filters: {},
    parameters: {},
    response: { type: "object", required: ["openapi", "paths"], additionalProperties: true },
    handle: () => ({ body: toDocument(all()) }),
  });
}

export function toDocument(endpoints: readonly Endpoint[]): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "AI Edge Interceptor: records",
      version: "1",
      description: "Who used which model on whose account. For the holder of the admin token only.",
    },
    servers: ROUTE_PREFIXES.map((url) => ({ url })),
    security: [{ bearer: [] }, { session_token: [] }],
    paths: Object.fromEntries(
      endpoints.map((one) => [one.path, { [one.body ? "post" : "get"]: toOperation(one) }]),
    ),
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "The admin token." },
        session_token: {
          type: "apiKey",
          in: "header",
          name: "Coder-Session-Token",
          description: "The admin token, as Coder's consumers send theirs.",
        },
      },
      schemas: { Error: ERROR },
    },
  };
}

function toOperation({
  path,
  summary,
  description,
  parameters,
  csv,
  body,
  response: answer,
}: Endpoint): object {
  const variable = /\{(\w+)\}/.exec(path)?.[1];
  return {
    operationId: path.replace(/\W+/g, "_").replace(/^_|_$/g, ""),
    summary,
    description,
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
        description: "As asked for",
        content: {
          "application/json": { schema: answer },
          ...(csv ? { "text/csv": { schema: { type: "string" } } } : {}),
        },
      },
      ...Object.fromEntries(
        Object.entries(body ? BODY_FAILURES : FAILURES).map(([status, reason]) => [
          status,
          {
            description: reason,
            content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
          },
        ]),
      ),
    },
  };
}
