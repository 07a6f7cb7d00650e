/**
 * `npm run openapi`: generates docs/openapi.json, the OpenAPI document, from the endpoint definitions of the records API, and
 * from it the console's types. test/docs/openapi.test.ts fails when a file is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { ENDPOINTS } from "../src/records/api/endpoints.ts";
import { toDocument } from "../src/records/api/kit/openapi.ts";
import { generatedTypes, TYPES_FILE } from "./console/api-types.ts";

const FILE = fileURLToPath(import.meta.resolve("../docs/openapi.json"));

/** The document as the code defines it, formatted. */
export async function generatedDocument(): Promise<string> {
  const options = await prettier.resolveConfig(FILE);
  return prettier.format(JSON.stringify(toDocument(ENDPOINTS)), { ...options, parser: "json" });
}

/** The document as it is stored. */
export const storedDocument = (): string => readFileSync(FILE, "utf8");

export async function main(): Promise<number> {
  const document = await generatedDocument();
  writeFileSync(FILE, document);
  writeFileSync(TYPES_FILE, await generatedTypes(document));
  return 0;
}
