/** One connection of the fake provider: requests in, kept as they came; the planned answers out. */
import type { Socket } from "node:net";
import type { Step } from "./response-steps.ts";
import { openWire } from "./upstream-wire.ts";
import { ByteQueue, ConnectionEnded, concat, headerValues, readBody, readHead } from "./wire.ts";
import type { HeaderPair, MessageHead } from "./wire.ts";

export type UpstreamRequest = {
  readonly method: string;
  readonly target: string;
  /** As sent: order, case and repeats. */
  readonly headers: readonly HeaderPair[];
  /** All values of one header, the name in any case. */
  values(name: string): string[];
  /** What has arrived of the body, without its framing. */
  body(): Uint8Array;
  text(): string;
  /** The whole body arrived. */
  readonly bodyComplete: boolean;
  /** The answer's steps have all run. */
  readonly responseSent: boolean;
  /** `performance.now()` when the peer left this request's connection; `null` while it is there. */
  readonly closedAt: number | null;
};

/** An answer, or a function that gives one for each request. Runs when the request's body is whole. */
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
  // Each request of a connection listens for its end.
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
      noteClosing(socket, request);
      const index = requests.push(request) - 1;
      const { response: answer, at } = plan();
      const bodyRead = readBody(queue, request.headers, "empty", (piece) => pieces.push(piece));
      const whole = bodyRead.then(() => (request.bodyComplete = true));
      // Awaited below in any case; a peer that leaves during an early answer must not be an unhandled rejection.
      whole.catch(() => {});
      if (at === "body") await whole;
      const steps = typeof answer === "function" ? answer(request, index) : answer;
      const wire = openWire(socket, gone);
      for (const step of steps) await step(wire);
      request.responseSent = true;
      await whole;
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

/** FIN or RST, whichever is first: a peer that has gone does not always say so twice. */
function noteClosing(socket: Socket, request: Mutable<UpstreamRequest>): void {
  const note = () => void (request.closedAt ??= performance.now());
  socket.once("end", note);
  socket.once("close", note);
}
