/**
 * The headers of a form's part (RFC 7578 §4.2), as strictly as it takes for every parser to read the same name. Anything that
 * parsers read differently makes the form invalid.
 */

export type Part = {
  readonly name: string;
  readonly isFile: boolean;
  readonly isModel: boolean;
  /** The length that the part itself declares; null where it declares none. */
  readonly length: number | null;
};

const HEADER = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/;
/** A value without a backslash before a quote: parsers differ in whether that ends it. */
const PARAMETER = /;[ \t]*([\w-]+\*?)=(?:"((?:[^"\\]|\\(?!["\\]))*)"|([\w.'%*!#$&+^`|~-]+))/gy;
const DISPOSITION = /^form-data(?=[ \t]*(?:;|$))[ \t]*/i;
const NAME = /^[\w.[\]-]{1,128}$/;
/** Names that some parser reads as `model`: in another case, or as a list or an object. */
const LIKE_MODEL = /^model(?:$|[.[])/i;
const FIELD_TYPE = /^text\/plain(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i;
const PLAIN_ENCODINGS = /^(?:7bit|8bit|binary)$/i;
/** Line breaks of some parsers. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\n-\x1f\x7f]/;

/** `text`: the header lines, decoded as Latin-1, without the blank line. null where they are not valid. */
export function readPartHeaders(text: string): Part | null {
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const [, name, value] = (CONTROL.test(line) ? null : HEADER.exec(line)) ?? [];
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return null;
    headers.set(name.toLowerCase(), value);
  }
  const parameters = readDisposition(headers.get("content-disposition") ?? "");
  const name = parameters?.get("name");
  if (!parameters || name === undefined || !NAME.test(name) || name === "_charset_") return null;
  if (LIKE_MODEL.test(name) && name !== "model") return null;
  const isModel = name === "model";
  const isFile = parameters.has("filename") || parameters.has("filename*");
  if (!isPlain(headers, isModel) || (isModel && isFile)) return null;
  const declared = headers.get("content-length") ?? null;
  if (declared !== null && !/^\d{1,15}$/.test(declared)) return null;
  return { name, isFile, isModel, length: declared === null ? null : Number(declared) };
}

/** The parameters, each once; null where the value has anything beside them. */
function readDisposition(value: string): ReadonlyMap<string, string> | null {
  const type = DISPOSITION.exec(value);
  if (!type) return null;
  const parameters = new Map<string, string>();
  let at = type[0].length;
  while (at < value.length) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(value);
    if (!match) return null;
    const key = (match[1] ?? "").toLowerCase();
    if (parameters.has(key) || key === "name*") return null;
    parameters.set(key, match[2] ?? match[3] ?? "");
    at = PARAMETER.lastIndex + (/^[ \t]*/.exec(value.slice(PARAMETER.lastIndex))?.[0].length ?? 0);
  }
  return parameters;
}

/** Not encoded, not nested, and the model in UTF-8. */
function isPlain(headers: ReadonlyMap<string, string>, isModel: boolean): boolean {
  const encoding = headers.get("content-transfer-encoding");
  if (encoding !== undefined && (isModel || !PLAIN_ENCODINGS.test(encoding))) return false;
  if (headers.has("content-encoding")) return false;
  const type = headers.get("content-type");
  if (type === undefined) return true;
  return isModel ? FIELD_TYPE.test(type) : !/^multipart\//i.test(type);
}
