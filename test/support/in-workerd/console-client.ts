/** The console's server side and the API behind it, over the tests' own ledger, and a browser that keeps its cookies. */
import { createApi } from "../../../src/records/api/api.ts";
import type { SignInEvent } from "../../../src/records/console/begin.ts";
import type { Assets } from "../../../src/records/console/pages.ts";
import { createConsoleParts } from "../../../src/records/console/parts.ts";
import type { ConsoleSettings } from "../../../src/records/console/settings.ts";
import type { LedgerRead } from "../../../src/records/ledger/write/record-read.ts";
import { proveCheckpoint, proveEvent } from "../../../src/records/ledger/seal/proof.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { toBase64Url } from "../../../src/shared/base64.ts";
import type { AnyRefusal } from "../../../src/shared/records-refusal.ts";
import { consoleOff } from "../console-settings.ts";
import { BASE, NOW, TOKEN } from "./api-client.ts";
import { database } from "./api-rows.ts";

export const ORIGIN = "https://ai-console.example";
export const READER_TOKEN = "reader-token-0123456789";

export type Sent = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly host?: string;
};

export type TestConsole = {
  /** Milliseconds since 1970; tests move it. */
  now: number;
  readonly events: SignInEvent[];
  readonly reads: LedgerRead[];
  readonly refusals: AnyRefusal[];
  /** Requests of the Worker itself. */
  readonly fetched: Request[];
  /** A request as it is given, without the headers of a browser. */
  readonly send: (path: string, sent?: Sent) => Promise<Response>;
};

export type Options = {
  readonly assets?: Assets | null;
  readonly fetch?: (request: Request) => Promise<Response>;
  readonly database?: D1Database | null;
};

/** The settings of a console for the admin's token, and for one that may only read. */
export async function settingsWith(over: Partial<ConsoleSettings> = {}): Promise<ConsoleSettings> {
  const { console: off } = consoleOff(await sha256Hex(TOKEN));
  const reader = { name: "reports", sha256: await sha256Hex(READER_TOKEN), scopes: ["read"] } as const;
  return { ...off, origins: [ORIGIN], tokens: [...off.tokens, reader], ...over };
}

export function openConsole(settings: ConsoleSettings, options: Options = {}): TestConsole {
  const { assets = null, database: ledger = database } = options;
  const [events, reads, refusals, fetched]: [SignInEvent[], LedgerRead[], AnyRefusal[], Request[]] = [
    [],
    [],
    [],
    [],
  ];
  const opened: { now: number } = { now: NOW };
  const deps = {
    now: () => opened.now,
    newId: () => "00000000-0000-7000-8000-000000000000",
    onRefusal: (_: string, __: Request, refusal: AnyRefusal) => void refusals.push(refusal),
  };
  const { admit, serveConsole } = createConsoleParts(
    { console: settings, assets, database: ledger },
    {
      ...deps,
      newSecret: () => toBase64Url(crypto.getRandomValues(new Uint8Array(32))),
      fetch: async (input, init) => {
        const request = new Request(input, init);
        fetched.push(request);
        return options.fetch?.(request) ?? new Response(null, { status: 404 });
      },
      onEvent: (_, event) => void events.push(event),
    },
  );
  const seals = { isOn: false, proveEvent, proveCheckpoint };
  const onRead = (_: Request, read: LedgerRead): void => void reads.push(read);
  const api = createApi({ ...deps, gateway: null, admit, database: ledger, seals, onRead });
  return Object.assign(opened, {
    events,
    reads,
    refusals,
    fetched,
    send: async (
      path: string,
      { method = "GET", headers = {}, body, host = new URL(ORIGIN).host }: Sent = {},
    ): Promise<Response> => {
      const request = new Request(`https://${host}${path}`, {
        method,
        headers: { host, ...headers },
        ...(body !== undefined && { body }),
        redirect: "manual",
      });
      return path.startsWith("/console") ? serveConsole(request) : api.fetch(request);
    },
  });
}

/** The headers that a browser sends with a request of the console's own page. */
export const OWN_PAGE = {
  origin: ORIGIN,
  "sec-fetch-site": "same-origin",
  "content-type": "application/json",
};

/** `name=value` of each cookie that a response sets. */
export const cookiesOf = (response: Response): string[] =>
  response.headers.getSetCookie().map((cookie) => cookie.split(";", 1)[0] ?? "");

export type SignedIn = {
  readonly cookie: string;
  readonly csrf: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly response: Response;
  /** The headers of a write of the console's own page. */
  readonly write: Readonly<Record<string, string>>;
};

/** Signs in with a token. Throws where that fails. */
export async function signIn(
  { send }: TestConsole,
  token = TOKEN,
  headers: Readonly<Record<string, string>> = {},
): Promise<SignedIn> {
  const sent = { method: "POST", headers: { ...OWN_PAGE, ...headers }, body: JSON.stringify({ token }) };
  return signedIn(await send("/console/api/session", sent));
}

/** The session that a response has. Throws where it has none. */
export async function signedIn(response: Response, kept = ""): Promise<SignedIn> {
  const body = await response.json<Record<string, unknown>>();
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  const cookie = cookiesOf(response)[0] ?? kept;
  const csrf = String(body["csrf_token"]);
  return { cookie, csrf, body, response, write: { ...OWN_PAGE, cookie, "x-csrf-token": csrf } };
}

/** The status of a read of the API with these headers. */
export const readStatus = async (
  { send }: TestConsole,
  headers: Readonly<Record<string, string>>,
  path = "/usage",
): Promise<number> => (await send(`${BASE}${path}`, { headers })).status;
