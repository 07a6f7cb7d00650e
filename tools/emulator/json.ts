/** Reads request bodies of unknown shape. No function throws; an absent field reads as `undefined` or empty. */

export type JsonObject = { readonly [name: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function objectAt(value: unknown, name: string): JsonObject | undefined {
  const field = isObject(value) ? value[name] : undefined;
  return isObject(field) ? field : undefined;
}

export function stringAt(value: unknown, name: string): string | undefined {
  const field = isObject(value) ? value[name] : undefined;
  return typeof field === "string" ? field : undefined;
}

export function numberAt(value: unknown, name: string): number | undefined {
  const field = isObject(value) ? value[name] : undefined;
  return typeof field === "number" ? field : undefined;
}

export function arrayAt(value: unknown, name: string): readonly unknown[] {
  const field = isObject(value) ? value[name] : undefined;
  return Array.isArray(field) ? field : [];
}
