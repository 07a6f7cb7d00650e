/** Closed-loop load: N keep-alive connections, each sending its next request when the last answer is whole. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { AnswerCounter } from "./answer-counter.ts";

/** Nothing here is slow: an answer that takes this long never comes. */
const STUCK_MS = 30_000;

export type Exchange = {
  readonly status: number;
  readonly bodyBytes: number;
  /** From the request's writing to the first bytes of the answer. */
  readonly headersMs: number;
};

/** One keep-alive connection. */
export class Line {
  readonly #socket: Socket;
  readonly #counter = new AnswerCounter();
  #onPiece: ((piece: Buffer) => void) | null = null;
  #fail: (error: Error) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => this.#onPiece?.(piece));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed in mid-answer")));
    socket.setTimeout(STUCK_MS, () => socket.destroy(new Error(`nothing arrived for ${STUCK_MS} ms`)));
  }

  static async open(port: number): Promise<Line> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Line(socket);
  }

  /** `tap` sees each piece as it arrives, before anything else is done with it. */
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

/** Sends `count` requests over `connections`; every answer has to be 200 with `bodyBytes` bytes. */
export async function runLoad(
  port: number,
  request: Uint8Array,
  count: number,
  connections: number,
  bodyBytes: number,
) {
  const lines = await Promise.all(Array.from({ length: connections }, () => Line.open(port)));
  let left = count;
  const work = async (line: Line) => {
    while (left > 0) {
      left -= 1;
      const answer = await line.exchange(request);
      if (answer.status !== 200 || answer.bodyBytes !== bodyBytes) {
        throw new Error(
          `an answer of status ${answer.status} with ${answer.bodyBytes} bytes instead of ${bodyBytes}`,
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
