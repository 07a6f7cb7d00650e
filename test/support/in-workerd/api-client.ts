/** A client of the records Worker's API app, over the tests' own ledger. */
import { createApi } from "../../../src/records/api/api.ts";
import type { Gateway } from "../../../src/records/api/forward.ts";
import type { LedgerRead } from "../../../src/records/ledger/write/record-read.ts";
import { proveCheckpoint, proveEvent } from "../../../src/records/ledger/seal/proof.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { AnyRefusal } from "../../../src/shared/records-refusal.ts";
import { database, T0 } from "./api-rows.ts";
import { createAdmit, type Admit } from "../../../src/records/console/reader.ts";
import { adminTokens } from "../../../src/records/config/console.ts";
import { authorizeToken } from "../../../src/records/console/token-auth.ts";

export const TOKEN = "admin-token-0123456789";
export const BASE = "/api/v2/ai-gateway";

/** After every row that the tests insert at `T0`. */
export const NOW = T0 + 3_600_000;

export type ApiResponse = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** null where the body is not JSON. */
  readonly json: unknown;
  /** The refusal that the app reported, or null. */
  readonly refusal: AnyRefusal | null;
};

export type FetchOptions = {
  readonly method?: string;
  /** The default is the admin's. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly database?: D1Database | null;
  readonly adminTokenSha256?: string | null;
  readonly admit?: Admit;
  readonly prefix?: string;
  readonly body?: BodyInit;
  readonly now?: () => number;
  readonly gateway?: Gateway;
  readonly isSealing?: boolean;
  readonly newId?: () => string;
  readonly onRead?: (read: LedgerRead) => void;
  readonly onRefusal?: (id: string, request: Request, refusal: AnyRefusal) => void;
};

/** Admits the holder of the admin token, as without a console. */
export const admitTokens = (adminTokenSha256: string | null): Admit =>
  createAdmit({
    authorizeToken: (headers) => authorizeToken(headers, adminTokens(adminTokenSha256)),
    authenticateSession: () => Promise.resolve(null),
  });

/** Requests a path below the prefix. */
export async function fetchApi(path: string, options: FetchOptions = {}): Promise<ApiResponse> {
  const { method = "GET", headers = { authorization: `Bearer ${TOKEN}` }, body = null } = options;
  const { adminTokenSha256 } = options;
  let refusal: AnyRefusal | null = null;
  const app = createApi({
    database: options.database === undefined ? database : options.database,
    admit:
      options.admit ??
      admitTokens(adminTokenSha256 === undefined ? await sha256Hex(TOKEN) : adminTokenSha256),
    gateway: options.gateway ?? null,
    seals: { isOn: options.isSealing ?? true, proveEvent, proveCheckpoint },
    now: options.now ?? (() => NOW),
    newId: options.newId ?? (() => "00000000-0000-7000-8000-000000000000"),
    onRead: (_, read) => options.onRead?.(read),
    onRefusal: (id, request, reported) => {
      if (refusal !== null) throw new Error("the app reported two refusals");
      refusal = reported;
      options.onRefusal?.(id, request, reported);
    },
  });
  const url = `https://interceptor.example${options.prefix ?? BASE}${path}`;
  const response = await app.fetch(new Request(url, { method, headers, body }));
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true && text !== "";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
    refusal,
  };
}

/** A part of a JSON value, by names and indexes. Throws where there is none, so that a test cannot compare nothing. */
export function part(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, step))
      throw new Error(`there is no ${path.join(".")} in ${JSON.stringify(value).slice(0, 300)}`);
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

export function items(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const list = part(value, ...path);
  if (!Array.isArray(list)) throw new Error(`${path.join(".")} is not a list`);
  return list;
}

/** The JSON body of a response that must have status 200. */
export async function fetchOk(path: string, options: FetchOptions = {}): Promise<unknown> {
  const { status, text, json } = await fetchApi(path, options);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return json;
}

/** The status of a refused query and the parameter that the response names. */
export async function fetchFault(path: string): Promise<readonly [status: number, field: unknown]> {
  const { status, json, refusal } = await fetchApi(path);
  return [status, refusal?.data.param === undefined ? null : part(json, "validations", 0, "field")];
}
