/**
 * The grammar of the fields of an HTTP message signature: `Signature-Input` and `Signature` (RFC 9421 §4) and
 * `Content-Digest` (RFC 9530 §2). They are Structured Fields (RFC 8941), of which only the forms that a signed owner has
 * are accepted: one signature, components without parameters, each parameter once and known. The parsers are linear.
 */

import { fromBase64 } from "../../../shared/base64.ts";

/** RFC 9421 §2.3. `tag` and unknown parameters are not accepted: nothing here would act on them. */
export type SignatureInput = {
  readonly label: string;
  /** The names of the covered components, in their order. */
  readonly components: readonly string[];
  /** Unix seconds. */
  readonly created: number;
  readonly expires: number;
  readonly nonce: string;
  readonly keyId: string;
  readonly algorithm: string | null;
  /** The value of `@signature-params`: the input serialized again (RFC 9421 §2.3). */
  readonly params: string;
};

/** An input that names every header of a request is far shorter. */
const MAX_INPUT = 4096;
const MAX_SIGNATURE = 1024;

const KEY = "[a-z*][a-z0-9_.*-]*";
const LABELLED_INPUT = new RegExp(`^(${KEY})=\\(([^()]*)\\)(.*)$`);
/** A derived component or a field name in lower case, as a string without escapes. */
const COMPONENT = /^"(@[a-z-]+|[a-z0-9!#$%&'*+.^_`|~-]+)"$/;
/** An integer in its canonical form, or a string. */
const PARAMETER = new RegExp(
  `; *(${KEY})=(?:(0|[1-9]\\d{0,14})|"((?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*)")`,
  "y",
);
const INTEGERS: readonly string[] = ["created", "expires"];
const STRINGS: readonly string[] = ["nonce", "keyid", "alg"];

/** null if the value is not exactly one signature's input with all required parameters. */
export function parseSignatureInput(value: string): SignatureInput | null {
  if (value.length > MAX_INPUT) return null;
  const [, label, list, rest] = LABELLED_INPUT.exec(value) ?? [];
  if (label === undefined || list === undefined || rest === undefined) return null;
  const components: string[] = [];
  for (const item of list.split(" ").filter((part) => part !== "")) {
    const name = COMPONENT.exec(item)?.[1];
    if (name === undefined || components.includes(name)) return null;
    components.push(name);
  }
  const parameters = parseParameters(rest);
  if (parameters === null) return null;
  const { created, expires, nonce, keyid, alg = null } = Object.fromEntries(parameters.values);
  if (typeof created !== "number" || typeof expires !== "number" || expires < created) return null;
  if (!nonce || !keyid) return null;
  const params = `(${components.map((name) => `"${name}"`).join(" ")})${parameters.text}`;
  return {
    label,
    components,
    created,
    expires,
    nonce: String(nonce),
    keyId: String(keyid),
    algorithm: alg === null ? null : String(alg),
    params,
  };
}

type Parameters = { readonly values: ReadonlyMap<string, number | string>; readonly text: string };

function parseParameters(rest: string): Parameters | null {
  const values = new Map<string, number | string>();
  let [at, text] = [0, ""];
  while (at < rest.length) {
    PARAMETER.lastIndex = at;
    const [all, name = "", integer, string] = PARAMETER.exec(rest) ?? [];
    const known = integer === undefined ? STRINGS : INTEGERS;
    if (all === undefined || values.has(name) || !known.includes(name)) return null;
    values.set(name, integer === undefined ? (string ?? "").replace(/\\(.)/g, "$1") : Number(integer));
    // The only difference that re-serialization can make: blanks after the semicolon.
    text += all.replace(/^; */, ";");
    at = PARAMETER.lastIndex;
  }
  return { values, text };
}

const SIGNATURE = new RegExp(`^(${KEY})=:([A-Za-z0-9+/]+={0,2}):$`);

/** The bytes of the only signature, which has the input's label; null if the value is anything else. */
export function parseSignature(value: string, { label }: SignatureInput): Uint8Array<ArrayBuffer> | null {
  const [, name, base64 = ""] = (value.length <= MAX_SIGNATURE && SIGNATURE.exec(value)) || [];
  return name === label && base64.length % 4 === 0 ? fromBase64(base64) : null;
}

const CONTENT_DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;

/** The SHA-256 of the content; null if the value is not exactly that one digest. */
export function parseContentDigest(value: string): Uint8Array<ArrayBuffer> | null {
  const base64 = CONTENT_DIGEST.exec(value)?.[1];
  return base64 === undefined ? null : fromBase64(base64);
}
