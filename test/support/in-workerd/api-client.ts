/** The API over the tests' own ledger, asked as the app asks it: by requests. */
import { createApi } from "../../../src/records/api/api.ts";
import type { Explain } from "../../../src/records/api/contract.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { readTarget } from "../../../src/shared/http/target.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { database, T0 } from "./api-rows.ts";

export const TOKEN = "admin-token-0123456789";
export const BASE = "/api/v2/ai-gateway";

/** Some time after every row. */
export const NOW = T0 + 3_600_000;

export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** null where the answer is no JSON. */
  readonly json: unknown;
  /** Where it is one. */
  readonly refusal: Refusal | null;
};

export type Asking = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly database?: D1Database | null;
  readonly adminTokenSha256?: string | null;
  readonly prefix?: string;
  readonly body?: BodyInit;
  /** Instead of the app. */
  readonly judge?: Explain;
};

const NO_APP: Explain = () => Promise.reject(new Error("there is no app to ask"));

/** `path`: what stands behind the prefix. As the admin, unless headers are given. */
export async function ask(path: string, asking: Asking = {}): Promise<Answered> {
  const { method = "GET", headers = { authorization: `Bearer ${TOKEN}` }, prefix = BASE } = asking;
  const api = createApi({
    database: asking.database === undefined ? database : asking.database,
    adminTokenSha256:
      asking.adminTokenSha256 === undefined ? await sha256Hex(TOKEN) : asking.adminTokenSha256,
    now: () => NOW,
  });
  const { body = null, judge = NO_APP } = asking;
  const request = new Request(`https://interceptor.example${prefix}${path}`, { method, headers, body });
  const target = readTarget(request);
  if (target instanceof Refusal) return refused(target, api);
  if (!api.hasPath(target.path)) throw new Error(`${path} is not the API's`);
  const answer = await api.respond(request, target, judge);
  if (answer instanceof Refusal) return refused(answer, api);
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true && text !== "";
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
    refusal: null,
  };
}

/** As the app answers a refusal. */
function refused(refusal: Refusal, api: ReturnType<typeof createApi>): Answered {
  const { status, message, code, data } = refusal;
  const json = api.errorBody({ status, message, code, param: data.param ?? null, interceptionId: "" });
  return { status, headers: new Headers(), text: JSON.stringify(json), json, refusal };
}

/** A part of an answer: by names and positions. Throws where there is none, so that a test cannot compare nothing. */
export function part(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step))
      throw new Error(`there is no ${path.join(".")} in ${JSON.stringify(value).slice(0, 300)}`);
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

export function items(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = part(value, ...path);
  if (!Array.isArray(found)) throw new Error(`${path.join(".")} is no list`);
  return found;
}

/** Answers that must be good. */
export async function good(path: string, asking: Asking = {}): Promise<unknown> {
  const { status, text, json } = await ask(path, asking);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return json;
}

/** What a refused query is told: its status and the parameter at fault. */
export async function fault(path: string): Promise<readonly [status: number, field: unknown]> {
  const { status, json, refusal } = await ask(path);
  return [status, refusal?.data.param === undefined ? null : part(json, "validations", 0, "field")];
}
