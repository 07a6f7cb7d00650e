/** Values of events as JSON. The text has no character that a terminal or a line splitter would act on. */
import { escapeUnsafe } from "../shared/log-line.ts";

/** ASCII that JSON leaves as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

export const quote = (text: string): string =>
  PLAIN.test(text) ? `"${text}"` : escapeUnsafe(JSON.stringify(text));

export const orNull = (text: string | null): string => (text === null ? "null" : quote(text));

export const list = (texts: readonly string[]): string =>
  texts.length === 0 ? "[]" : `[${texts.map(quote).join(",")}]`;

export const object = (value: object | null): string =>
  value === null ? "null" : escapeUnsafe(JSON.stringify(value));
