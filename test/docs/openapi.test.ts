import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { toDocument } from "../../src/records/api/kit/openapi.ts";
import { stored, written } from "../../tools/openapi.ts";

type Operation = {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
};
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

const document = JSON.parse(JSON.stringify(toDocument(ENDPOINTS))) as Document;

/** Each path has one method. */
const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation): [string, Operation] => [path, operation]),
  );

describe("the API's OpenAPI document", () => {
  it("is what the code says (npm run openapi writes it)", async () => {
    expect(stored()).toBe(await written());
  });

  it("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(validator.version).toBe("3.1");
  });

  it("a broken one would not pass for valid", async () => {
    const broken = { ...structuredClone(document), info: { title: "no version" } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it("has every endpoint with every parameter it reads, and no other", () => {
    const documented = operations().map(([path, { parameters }]) => [
      path,
      parameters.filter((one) => one.in === "query").map(({ name }) => name),
    ]);
    expect(documented).toEqual(ENDPOINTS.map(({ path, parameters }) => [path, Object.keys(parameters)]));
  });

  it("names each operation once", () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ENDPOINTS.length);
  });
});
