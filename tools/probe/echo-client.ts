/** Calls the echo's actions, through the gateway or directly. */
import { createHmac, randomUUID } from "node:crypto";
import {
  bodyOf,
  type Endpoint,
  type OpenRequest,
  type Outgoing,
  type Protocol,
  type Received,
} from "./client/http.ts";
import type { Sender } from "./client/sender.ts";
import { ECHO_NAME, PATHS, type Hello, type Notes } from "./echo/protocol.ts";

export type Params = Readonly<Record<string, string | number>>;

/** The credentials of a run. They appear in headers of requests and nowhere else. */
export type Credentials = {
  /** The echo's secret, sent as the client's own provider key. */
  readonly secret: string;
  /** Identifies the client where the gateway does not accept `byok`; null where it does. */
  readonly clientKey: string | null;
};

export type Echo = {
  readonly isSecure: boolean;
  /** Opens a request for an action on one kind of route. */
  readonly open: (action: string, options?: OpenOptions) => Promise<OpenRequest>;
  /** The complete response to an action of the control route. @throws where its status is not 200. */
  readonly call: <T>(action: string, params?: Params) => Promise<T>;
  /** The notes about each run, once each has one of the notes `until`, or after 20 s. */
  readonly notes: (runs: readonly string[], until: readonly string[]) => Promise<readonly Notes[]>;
};

export type OpenOptions = {
  readonly route?: keyof typeof PATHS;
  readonly params?: Params;
  readonly headers?: Outgoing["headers"];
  readonly body?: Outgoing["body"];
  readonly protocol?: Protocol;
};

export type EchoOptions = Credentials & {
  readonly sender: Sender;
  readonly endpoint: Endpoint;
  /** The provider's name in the gateway; null for the echo itself. */
  readonly provider: string | null;
  readonly session: string;
};

const NOTES_WITHIN_MS = 20_000;

export function createEcho({ sender, endpoint, provider, session, secret, clientKey }: EchoOptions): Echo {
  const identity = {
    authorization: `Bearer ${secret}`,
    "user-agent": "ai-edge-interceptor-probe",
    accept: "*/*",
    "accept-encoding": "identity",
    ...(clientKey !== null && provider !== null && { "x-coder-ai-governance-token": clientKey }),
  };
  const prefix = provider === null ? "" : `/${provider}`;
  const open: Echo["open"] = (action, { route = "control", params = {}, headers, body, protocol } = {}) => {
    const query = new URLSearchParams({ probe: action, session, ...texts(params) });
    const outgoing: Outgoing = {
      method: route === "control" ? "GET" : "POST",
      path: `${prefix}${PATHS[route]}?${query.toString()}`,
      headers: { ...identity, ...(route === "chat" && JSON_TYPE), ...headers },
      ...(route === "chat" ? { body: body ?? CHAT_BODY } : body && { body }),
    };
    return sender.open(endpoint, outgoing, protocol);
  };
  const call = async <T>(action: string, params: Params = {}): Promise<T> =>
    parse<T>(await (await open(action, { params })).received);
  return {
    isSecure: endpoint.url.protocol === "https:",
    open,
    call,
    notes: (runs, until) =>
      call("report", { runs: runs.join(","), until: until.join(","), wait_ms: NOTES_WITHIN_MS }),
  };
}

const texts = (params: Params): Record<string, string> =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));

const JSON_TYPE = { "content-type": "application/json" };

/** A chat request. `usage`: whether it requests usage itself; otherwise the gateway does, and filters the stream. */
export function chatBody(usage: boolean): NonNullable<Outgoing["body"]> {
  const body = {
    model: "probe",
    stream: true,
    messages: [{ role: "user", content: "probe" }],
    ...(usage && { stream_options: { include_usage: true } }),
  };
  return [{ bytes: Buffer.from(JSON.stringify(body)), delayMs: 0 }];
}

const CHAT_BODY = chatBody(true);

/** A response that is not the echo's: its status, and the gateway's code where it is a refusal. */
export class UnexpectedStatus extends Error {
  readonly status: number;
  /** `x-interceptor-error`; null where the gateway did not refuse the request. */
  readonly refusal: string | null;

  constructor({ status, headers }: Pick<Received, "status" | "headers">) {
    const refusal = headers["x-interceptor-error"] ?? null;
    super(`status ${status}${refusal === null ? "" : `, the gateway's refusal ${refusal}`}`);
    this.status = status;
    this.refusal = refusal;
  }
}

export function parse<T>(received: Received): T {
  if (received.status !== 200) throw new UnexpectedStatus(received);
  if (received.brokenBy !== null) throw new Error(`the response broke off: ${received.brokenBy}`);
  return JSON.parse(bodyOf(received).toString()) as T;
}

function parseHello(response: Received): Hello {
  try {
    return parse<Hello>(response);
  } catch (cause) {
    const reason = cause instanceof UnexpectedStatus ? cause.message : "not a response of the echo";
    const advice = "The gateway needs a provider whose base_url is the echo's (docs/probe.md).";
    throw new Error(`The first request got ${reason}. ${advice}`, { cause });
  }
}

export type Introduction = {
  readonly hello: Hello;
  /** The gateway's response, for its headers. */
  readonly response: Received;
};

/**
 * The first request of a run. Its response must prove that it comes from the echo, so that no later request reaches
 * another provider.
 */
export async function introduce(echo: Echo, secret: string): Promise<Introduction> {
  const nonce = randomUUID();
  const response = await (await echo.open("hello", { params: { nonce } })).received;
  const hello = parseHello(response);
  const proof = createHmac("sha256", secret).update(nonce).digest("hex");
  if (hello.echo !== ECHO_NAME || hello.proof !== proof)
    throw new Error("The provider did not prove that it is the echo: no further request was sent.");
  return { hello, response };
}
