import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { toDocument } from "../../src/records/api/kit/openapi.ts";
import { generatedTypes, storedTypes } from "../../tools/console/api-types.ts";
import { generatedDocument, storedDocument } from "../../tools/openapi.ts";

type Operation = {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly headers?: Readonly<Record<string, Header>> }>>;
};
type Header = { readonly schema: object };
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

const document = JSON.parse(JSON.stringify(toDocument(ENDPOINTS))) as Document;

/** Each path has one method. */
const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation): [string, Operation] => [path, operation]),
  );

describe("the API's OpenAPI document", () => {
  it("matches the code (npm run openapi)", async () => {
    expect(storedDocument()).toBe(await generatedDocument());
  });

  it("is what the console's types are generated from (npm run openapi)", async () => {
    expect(storedTypes()).toBe(await generatedTypes(storedDocument()));
  });

  it("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(validator.version).toBe("3.1");
  });

  it("is checked by a validator that rejects an invalid document", async () => {
    const invalid = { ...structuredClone(document), info: { title: "no version" } };
    expect((await new Validator().validate(invalid)).valid).toBe(false);
  });

  it("says that a response with 503 has Retry-After", () => {
    const unavailable = operations().flatMap(([, { responses }]) => responses["503"] ?? []);
    expect(unavailable).not.toEqual([]);
    for (const { headers } of unavailable)
      expect(headers?.["Retry-After"]?.schema).toEqual({ type: "integer" });
  });

  it("has every endpoint with its parameters, and no others", () => {
    const documented = operations().map(([path, { parameters }]) => [
      path,
      parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name),
    ]);
    expect(documented).toEqual(ENDPOINTS.map(({ path, parameters }) => [path, Object.keys(parameters)]));
  });

  it("has a unique operationId per operation", () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ENDPOINTS.length);
  });
});
