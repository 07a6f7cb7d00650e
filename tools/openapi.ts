/**
 * `npm run openapi`: writes docs/openapi.json, the API's document, out of the definitions that requests are read and
 * answered by. test/docs/openapi.test.ts fails where the file has fallen behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { ENDPOINTS } from "../src/records/api/endpoints.ts";
import { toDocument } from "../src/records/api/kit/openapi.ts";

const FILE = fileURLToPath(import.meta.resolve("../docs/openapi.json"));

/** As the code has it, formatted. */
export async function written(): Promise<string> {
  const options = await prettier.resolveConfig(FILE);
  return prettier.format(JSON.stringify(toDocument(ENDPOINTS)), { ...options, parser: "json" });
}

/** As it stands. */
export const stored = (): string => readFileSync(FILE, "utf8");

export async function main(): Promise<number> {
  writeFileSync(FILE, await written());
  return 0;
}
