/** Short forms for JSON Schema (2020-12, the version of OpenAPI 3.1). */

export type Schema = { readonly [keyword: string]: unknown };

export const TEXT: Schema = { type: "string" };
export const COUNT: Schema = { type: "integer", minimum: 0 };
export const FLAG: Schema = { type: "boolean" };
export const TIME: Schema = { type: "string", format: "date-time" };
export const DAY: Schema = { type: "string", format: "date" };
export const UUID: Schema = { type: "string", format: "uuid" };
/** From 0 to 1. */
export const SHARE: Schema = { type: "number", minimum: 0, maximum: 1 };
/** An object with any properties. */
export const METADATA: Schema = { type: "object", additionalProperties: true };

export const withDescription = (schema: Schema, description: string): Schema => ({ ...schema, description });

/** The same where it may be null already. */
export const orNull = (schema: Schema): Schema =>
  Array.isArray(schema["type"]) ? schema : { ...schema, type: [schema["type"], "null"] };

export const list = (items: Schema): Schema => ({ type: "array", items });

/** An object with these properties and no others. Every property is required unless `optional` lists it. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}
