/** One connection of the fake provider: it keeps each request as received and sends the planned responses. */
import type { Socket } from "node:net";
import type { Step } from "./response-steps.ts";
import { openWire } from "./upstream-wire.ts";
import { ByteQueue, ConnectionEnded, concat, headerValues, readBody, readHead } from "./wire.ts";
import type { HeaderPair, MessageHead } from "./wire.ts";

export type UpstreamRequest = {
  readonly method: string;
  readonly target: string;
  /** As received: order, case and repeats. */
  readonly headers: readonly HeaderPair[];
  /** All values of one header. The name matches in any case. */
  values(name: string): string[];
  /** The part of the body received so far, without its framing. */
  body(): Uint8Array;
  text(): string;
  /** The complete body was received. */
  readonly bodyComplete: boolean;
  /** All steps of the response have run. */
  readonly responseSent: boolean;
  /** `performance.now()` when the peer disconnected; `null` while it is connected. */
  readonly closedAt: number | null;
};

/** A response, or a function that returns one per request. Runs when the request's body is complete. */
export type PlannedResponse =
  readonly Step[] | ((request: UpstreamRequest, index: number) => readonly Step[]);

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type Plan = { response: PlannedResponse; at: "head" | "body" };

export async function serveConnection(
  socket: Socket,
  requests: Mutable<UpstreamRequest>[],
  plan: () => Plan,
): Promise<void> {
  const queue = new ByteQueue();
  // Each request on the connection adds a listener for its end.
  socket.setMaxListeners(0);
  const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("data", (bytes) => queue.push(new Uint8Array(bytes)));
  socket.on("end", () => queue.end("the peer ended the connection"));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => queue.end("the connection was closed"));
  try {
    while (!socket.destroyed) {
      const messageHead = await readHead(queue);
      const { request, pieces } = newRequest(messageHead);
      recordClose(socket, request);
      const index = requests.push(request) - 1;
      const { response, at } = plan();
      const bodyRead = readBody(queue, request.headers, "empty", (piece) => pieces.push(piece));
      const bodyComplete = bodyRead.then(() => (request.bodyComplete = true));
      // Awaited below. A disconnect during an early response must not become an unhandled rejection.
      bodyComplete.catch(() => {});
      if (at === "body") await bodyComplete;
      const steps = typeof response === "function" ? response(request, index) : response;
      const wire = openWire(socket, gone);
      for (const step of steps) await step(wire);
      request.responseSent = true;
      await bodyComplete;
    }
  } catch (error) {
    if (error instanceof ConnectionEnded) return;
    socket.destroy();
    throw error;
  }
}

function newRequest({ firstLine, headers }: MessageHead) {
  const pieces: Uint8Array[] = [];
  const [method = "", target = ""] = firstLine.split(" ");
  const request: Mutable<UpstreamRequest> = {
    method,
    target,
    headers,
    values: (name) => headerValues(headers, name),
    body: () => concat(pieces),
    text: () => new TextDecoder().decode(concat(pieces)),
    bodyComplete: false,
    responseSent: false,
    closedAt: null,
  };
  return { request, pieces };
}

/** Records the first of FIN and RST, because a peer does not always send both. */
function recordClose(socket: Socket, request: Mutable<UpstreamRequest>): void {
  const record = () => void (request.closedAt ??= performance.now());
  socket.once("end", record);
  socket.once("close", record);
}
