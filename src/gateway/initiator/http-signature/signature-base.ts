/** The signature base of a request (RFC 9421 §2.5): the text that is signed, made of the covered components' values. */
import type { SignableRequest } from "../signature.ts";
import { trimWhitespace } from "../owner-header.ts";
import type { SignatureInput } from "./fields.ts";

/**
 * One line per component, then `@signature-params`. null if a component is unknown or absent, or its value is not
 * printable ASCII: a folded header, a line break or other bytes could stand for two different requests.
 */
export function signatureBase(
  request: SignableRequest,
  { components, params }: Pick<SignatureInput, "components" | "params">,
): string | null {
  const lines: string[] = [];
  for (const name of components) {
    const value = name.startsWith("@") ? derivedValue(name, request) : fieldValue(name, request);
    if (value === null || !/^[\x20-\x7e]*$/.test(value)) return null;
    lines.push(`"${name}": ${value}`);
  }
  lines.push(`"@signature-params": ${params}`);
  return lines.join("\n");
}

/** RFC 9421 §2.1. `Headers.get` joins the values of a repeated header with ", ", as the RFC requires. */
function fieldValue(name: string, { headers }: SignableRequest): string | null {
  const value = headers.get(name);
  return value === null ? null : trimWhitespace(value);
}

/** RFC 9421 §2.2. */
function derivedValue(name: string, request: SignableRequest): string | null {
  const { method, uri } = request;
  const query = uri.indexOf("?");
  switch (name) {
    case "@method":
      return method;
    case "@authority":
      return authorityOf(request);
    case "@target-uri": {
      const authority = authorityOf(request);
      return authority === null ? null : `${schemeOf(request)}://${authority}${uri}`;
    }
    case "@path":
      return query < 0 ? uri : uri.slice(0, query);
    case "@query":
      return query < 0 ? "?" : uri.slice(query);
    default:
      return null;
  }
}

const schemeOf = ({ url }: SignableRequest): string => url.slice(0, url.indexOf("://")).toLowerCase();

const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

/**
 * The host in lower case, without the scheme's default port (RFC 9421 §2.2.3). Only the Host header counts: any client can
 * send an X-Forwarded-Host.
 */
function authorityOf(request: SignableRequest): string | null {
  const { headers, url } = request;
  const host = (headers.get("host") ?? /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "").toLowerCase();
  if (!HOST.test(host)) return null;
  const port = DEFAULT_PORT[schemeOf(request)];
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
}
