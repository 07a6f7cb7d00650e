/** The emulated provider's HTTP server: all its APIs, and the clouds that serve one of them, on one port of 127.0.0.1. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { throughAiGateway } from "./ai-gateway.ts";
import { azurePath } from "./azure.ts";
import { cloudOf, EMULATED_AWS_KEYS, type AwsKeys, type Cloud, type CloudRequest } from "./clouds.ts";
import { respond, dialectOf, type ReplyWithFault } from "./respond.ts";
import { responseHeaders } from "./headers.ts";
import { isObject } from "./json.ts";
import type { Dialect, Reply } from "./reply.ts";
import { sendReply, type Pace } from "./send.ts";

/** A request as the provider received it, for checks of what reaches a provider. */
export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type EmulatorOptions = {
  /** 0: any free port. */
  readonly port: number;
  /** Milliseconds between two events of a stream; 20 when absent. */
  readonly eventMs?: number;
  /** The same under `fault-slow`; 1,000 when absent. */
  readonly slowMs?: number;
  /** The access keys of AWS that are accepted, by their ids; `EMULATED_AWS_KEYS` when absent. */
  readonly awsKeys?: AwsKeys;
  readonly onRequest?: (request: SeenRequest) => void;
  /** A client closed the connection before its response was complete. */
  readonly onDisconnect?: (path: string) => void;
};

export type Emulator = {
  readonly url: string;
  readonly port: number;
  /** Also ends open responses; resolves when the port is free again. */
  readonly close: () => Promise<void>;
};

/** Rejects with the system's error when the port is not available. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const cache = new Set<string>();
  const pace = { eventMs: options.eventMs ?? 20, slowMs: options.slowMs ?? 1000 };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    response.once("close", () => response.writableFinished || options.onDisconnect?.(path));
    // Reading rejects when the client disconnects while it sends its request: there is no client to respond to.
    handle(request, response, { ...options, pace, cache }).catch(() => response.destroy());
  });
  await listen(server, options.port);
  const address = server.address();
  const port = isObject(address) && typeof address["port"] === "number" ? address["port"] : options.port;
  return { url: `http://127.0.0.1:${port}`, port, close: () => close(server) };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

type Handling = Pick<EmulatorOptions, "onRequest" | "awsKeys"> & {
  readonly pace: Pace;
  /** AI Gateway's. */
  readonly cache: Set<string>;
};

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { pace, cache, onRequest, awsKeys = EMULATED_AWS_KEYS }: Handling,
): Promise<void> {
  const { method = "GET", url = "/", headers: sent } = request;
  const bytes = await buffer(request);
  const body = bytes.toString();
  onRequest?.({ method, path: url, headers: sent, body });
  const cloud = cloudOf(url);
  const target = url.slice(cloud?.prefix.length ?? 0);
  const sentPath = target.split("?", 1)[0] ?? "/";
  const search = target.slice(sentPath.length);
  const through = cloud ? null : throughAiGateway({ path: sentPath, method, headers: sent, body }, cache);
  const { path, headers, added, refused } = through ?? { path: sentPath, headers: sent };
  const dialect = dialectOf(headers, path);
  const own =
    cloud && (await respondInCloud(cloud, path, { method, target: url, headers, body: bytes }, awsKeys));
  const { reply, fault }: ReplyWithFault =
    own ?? (refused ? { reply: refused } : respond({ method, path, search, headers, dialect }, body));
  const { requestId, headers: providerHeaders } = responseHeaders(dialect, azurePath(path) !== null);
  const all = { ...(refused ? {} : providerHeaders), ...own?.headers, ...added };
  for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
  if (fault?.kind === "status" && fault.retryAfter !== undefined)
    response.setHeader("retry-after", fault.retryAfter);
  await sendReply(response, refused ? reply : withRequestId(reply, dialect, requestId), fault, pace);
}

type InCloud = ReplyWithFault & { readonly headers: Readonly<Record<string, string>> };

/** Anthropic's reply, or the cloud's own error. */
async function respondInCloud(
  cloud: Cloud,
  path: string,
  request: CloudRequest,
  keys: AwsKeys,
): Promise<InCloud> {
  const { method, headers, body } = request;
  const refused = await cloud.refuse(request, keys);
  const head = { method, path, search: "", headers, dialect: "anthropic", isAuthorized: true } as const;
  const replied: ReplyWithFault = refused ?? respond(head, Buffer.from(body).toString());
  const { fault } = replied;
  const own = refused ?? (fault?.kind === "status" ? cloud.fault(fault.status) : null);
  return { ...replied, ...own, headers: { ...cloud.headers(), ...own?.headers } };
}

/** Anthropic's error bodies repeat the id of the `request-id` header. */
function withRequestId(reply: Reply, dialect: Dialect, request_id: string): Reply {
  if (dialect !== "anthropic" || reply.kind !== "json" || reply.status < 400 || !isObject(reply.body))
    return reply;
  // The errors of a cloud have other bodies.
  if (reply.body["type"] !== "error") return reply;
  return { ...reply, body: { ...reply.body, request_id } };
}
