/** The emulated provider's HTTP server: both APIs on one port of 127.0.0.1. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { throughAiGateway } from "./ai-gateway.ts";
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
    handle(request, response, { pace, cache, onRequest: options.onRequest }).catch(() => response.destroy());
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

type Handling = {
  readonly pace: Pace;
  /** AI Gateway's. */
  readonly cache: Set<string>;
  readonly onRequest: EmulatorOptions["onRequest"];
};

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { pace, cache, onRequest }: Handling,
): Promise<void> {
  const { method = "GET", url = "/", headers: sent } = request;
  const body = (await buffer(request)).toString();
  onRequest?.({ method, path: url, headers: sent, body });
  const sentPath = url.split("?", 1)[0] ?? "/";
  const through = throughAiGateway({ path: sentPath, method, headers: sent, body }, cache);
  const { path, headers, added, refused } = through ?? { path: sentPath, headers: sent };
  const dialect = dialectOf(headers, path);
  const { reply, fault }: ReplyWithFault = refused
    ? { reply: refused }
    : respond({ method, path, headers, dialect }, body);
  const { requestId, headers: providerHeaders } = responseHeaders(dialect);
  for (const [name, value] of Object.entries({ ...(refused ? {} : providerHeaders), ...added }))
    response.setHeader(name, value);
  if (fault?.kind === "status" && fault.retryAfter !== undefined)
    response.setHeader("retry-after", fault.retryAfter);
  await sendReply(response, refused ? reply : withRequestId(reply, dialect, requestId), fault, pace);
}

/** Anthropic's error bodies repeat the id of the `request-id` header. */
function withRequestId(reply: Reply, dialect: Dialect, request_id: string): Reply {
  if (dialect !== "anthropic" || reply.kind !== "json" || reply.status < 400 || !isObject(reply.body))
    return reply;
  return { ...reply, body: { ...reply.body, request_id } };
}
