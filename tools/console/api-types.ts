/**
 * console/api/schema.ts: the TypeScript types of the API's responses, and its parameters, from docs/openapi.json.
 * `npm run openapi` writes it beside the document.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import prettier from "prettier";
import { ROOT } from "../root.ts";

export const TYPES_FILE = join(ROOT, "console", "api", "schema.ts");

type Schema = {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly description?: string;
};

type Parameter = { readonly name: string; readonly in: string; readonly schema: Schema };

type Operation = {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
};

type OpenApi = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

const JSON_TYPE = "application/json";

/** Names of single types; `array` and `object` are composed. */
const SIMPLE: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null",
};

/** The module's text, formatted as the rest of the project. */
export async function generatedTypes(document: string): Promise<string> {
  const { paths } = JSON.parse(document) as OpenApi;
  const operations = Object.entries(paths);
  const get = operations.flatMap(([path, { get: operation }]) =>
    operation ? [[path, operation] as const] : [],
  );
  const post = operations.flatMap(([path, { post: operation }]) =>
    operation ? [[path, operation] as const] : [],
  );
  const text = [
    "/** The API's responses and parameters. Generated from docs/openapi.json by `npm run openapi`. */",
    `export type Responses = {${get.map(([path, one]) => `${JSON.stringify(path)}: ${responseOf(one)};`).join("\n")}};`,
    `export type Posts = {${post.map(([path, one]) => `${JSON.stringify(path)}: { body: ${bodyOf(one)}; response: ${responseOf(one)} };`).join("\n")}};`,
    "/** The query parameters of each path: the values of a closed set, else null. */",
    `export const PARAMETERS = {${get.map(([path, one]) => `${JSON.stringify(path)}: {${parametersOf(one)}},`).join("\n")}} as const;`,
  ].join("\n\n");
  return prettier.format(text, { ...(await prettier.resolveConfig(TYPES_FILE)), parser: "typescript" });
}

export const storedTypes = (): string => readFileSync(TYPES_FILE, "utf8");

const responseOf = ({ responses }: Operation): string =>
  typeOf(responses["200"]?.content?.[JSON_TYPE]?.schema);

const bodyOf = ({ requestBody }: Operation): string => typeOf(requestBody?.content[JSON_TYPE]?.schema);

const parametersOf = ({ parameters = [] }: Operation): string =>
  parameters
    .filter((parameter) => parameter.in === "query")
    .map(({ name, schema }) => `${name}: ${schema.enum ? JSON.stringify(schema.enum) : "null"}`)
    .join(", ");

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return "unknown";
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(" | ");
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  return types.map((type) => SIMPLE[type] ?? composed(type, schema)).join(" | ") || "unknown";
}

function composed(type: string, { items, properties, required = [], additionalProperties }: Schema): string {
  if (type === "array") return `readonly (${typeOf(items)})[]`;
  if (properties === undefined)
    return `Readonly<Record<string, ${typeof additionalProperties === "object" ? typeOf(additionalProperties) : "unknown"}>>`;
  const fields = Object.entries(properties).map(
    ([name, field]) =>
      `readonly ${JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${typeOf(field)};`,
  );
  return `{ ${fields.join(" ")} }`;
}
