/**
 * The API over the records, under both of Coder's prefixes. Receives a request, hands on an answer or a refusal; tells
 * nothing to anyone but the holder of the admin token, not even what it would have understood.
 */
import type { Api } from "./contract.ts";
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { authorizeAdmin } from "./admin-auth.ts";
import { readJson } from "./kit/body.ts";
import { methodsOf, type Endpoint } from "./kit/endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { createQueryLedger } from "./kit/query-ledger.ts";

type Found = { readonly endpoint: Endpoint; readonly id: string };

/** The first segments of the endpoints' paths: no provider's name. */
const NAMES: ReadonlySet<string> = new Set(ENDPOINTS.map(({ path }) => path.split("/")[1] ?? ""));

/** What a good value of each parameter is, and of each field of a body. */
const RULES: ReadonlyMap<string, string> = new Map(
  ENDPOINTS.toReversed().flatMap(({ parameters, body }) => [
    ...Object.entries(parameters).map(([name, { rule }]) => [name, rule] as const),
    ...Object.entries(body?.rules ?? {}),
  ]),
);

const NOT_KNOWN = "only what the document at openapi.json has for this path";

export function createApi({
  database,
  adminTokenSha256,
  now,
}: {
  readonly database: D1Database | null;
  readonly adminTokenSha256: string | null;
  readonly now: () => number;
}): Api {
  const ask = createQueryLedger(database);
  return {
    hasPath: (path) => NAMES.has(segmentsOf(path)[0] ?? ""),
    methodsOf: methodsAt,
    respond: async (request, target, judge) => {
      const refusal = await authorizeAdmin(request.headers, adminTokenSha256);
      if (refusal) return refusal;
      const found = find(target.path);
      if (!found) return new Refusal("not_found");
      const { method, headers } = request;
      if (!methodsOf(found.endpoint).includes(method)) return new Refusal("method_not_allowed");
      const body = found.endpoint.body ? await readJson(request) : null;
      if (body instanceof Refusal) return body;
      const answer = await found.endpoint.respond({
        search: target.search,
        id: found.id,
        accept: headers.get("accept") ?? "",
        body: body && body.value,
        query: ask,
        explain: judge,
        now: now(),
      });
      return answer instanceof Refusal ? answer : withSafeHeaders(answer, method === "HEAD");
    },
    errorBody: ({ message, code, param }) => {
      if (param === null) return { message };
      const detail = code === "filter_unknown" ? NOT_KNOWN : (RULES.get(param) ?? "");
      return { message, validations: [{ field: param, detail }] };
    },
  };
}

/** What stands behind a prefix, as it is written; nothing where the path is not under one. */
function segmentsOf(path: string): readonly string[] {
  const prefix = ROUTE_PREFIXES.find((one) => path.startsWith(`${one}/`));
  return prefix === undefined ? [] : path.slice(prefix.length + 1).split("/");
}

function find(path: string): Found | null {
  const segments = segmentsOf(path);
  for (const endpoint of ENDPOINTS) {
    const wanted = endpoint.path.slice(1).split("/");
    const same = (part: string, at: number): boolean => part.startsWith("{") || part === segments[at];
    if (wanted.length !== segments.length || !wanted.every(same)) continue;
    const id = wanted.length > 1 ? decoded(segments.at(-1) ?? "") : "";
    return id === null || (id === "" && wanted.length > 1) ? null : { endpoint, id };
  }
  return null;
}

/** Of a path where there is nothing, those of what only reads. */
function methodsAt(path: string): readonly string[] {
  const found = find(path);
  return found ? methodsOf(found.endpoint) : ["GET", "HEAD"];
}

/** null where the escapes are no UTF-8. */
function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** For nobody's cache, and nothing that a browser would run. */
function withSafeHeaders(answer: Response, isHead: boolean): Response {
  const headers = new Headers(answer.headers);
  headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  return new Response(isHead ? null : answer.body, { status: answer.status, headers });
}
