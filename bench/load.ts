/** Closed-loop load: each keep-alive connection sends its next request when the last response is complete. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { ResponseCounter } from "./response-counter.ts";

/** Far above every expected response time, so it only ends a run that hangs. */
const IDLE_TIMEOUT_MS = 30_000;

export type Exchange = {
  readonly status: number;
  readonly bodyBytes: number;
  /** From writing the request to the first bytes of the response. */
  readonly headersMs: number;
};

/** One keep-alive connection. */
export class Line {
  readonly #socket: Socket;
  readonly #counter = new ResponseCounter();
  #onPiece: ((piece: Buffer) => void) | null = null;
  #fail: (error: Error) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => this.#onPiece?.(piece));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed before the response ended")));
    const timeout = () => socket.destroy(new Error(`nothing arrived for ${IDLE_TIMEOUT_MS} ms`));
    socket.setTimeout(IDLE_TIMEOUT_MS, timeout);
  }

  static async open(port: number): Promise<Line> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Line(socket);
  }

  /** `tap` receives each piece on arrival, before any other processing. */
  exchange(request: Uint8Array, tap?: (piece: Buffer) => void): Promise<Exchange> {
    return new Promise((resolve, reject) => {
      const counter = this.#counter;
      const sentAt = performance.now();
      let headersMs = 0;
      counter.start();
      this.#fail = reject;
      this.#onPiece = (piece) => {
        tap?.(piece);
        headersMs ||= performance.now() - sentAt;
        if (!counter.take(piece)) return;
        this.#onPiece = null;
        resolve({ status: counter.status, bodyBytes: counter.bodyBytes, headersMs });
      };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }
}

export type Load = {
  readonly request: Uint8Array;
  readonly count: number;
  readonly connections: number;
  /** The expected size of every response body. */
  readonly bodyBytes: number;
};

/** Sends `count` requests. Throws unless every response is a 200 with `bodyBytes` bytes. */
export async function runLoad(port: number, { request, count, connections, bodyBytes }: Load): Promise<void> {
  const lines = await Promise.all(Array.from({ length: connections }, () => Line.open(port)));
  let left = count;
  const work = async (line: Line) => {
    while (left > 0) {
      left -= 1;
      const response = await line.exchange(request);
      if (response.status !== 200 || response.bodyBytes !== bodyBytes) {
        throw new Error(
          `a response with status ${response.status} and ${response.bodyBytes} bytes instead of ${bodyBytes}`,
        );
      }
    }
  };
  try {
    await Promise.all(lines.map(work));
  } finally {
    lines.forEach((line) => line.close());
  }
}
