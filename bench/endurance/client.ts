/** One client: a raw socket, one request, and of its answer a checksum, a count and, of paced events, their delays. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { requestBytes } from "../../test/support/raw-request.ts";
import { AnswerCounter } from "../answer-counter.ts";
import { CLIENT_KEY } from "../traffic.ts";
import { PLAN_HEADER, type Plan } from "./plan.ts";

export type Target = { readonly port: number; readonly path: string; readonly pid: number };
export type Leaving = "fin" | "reset";

export type OnBody = (bytes: Buffer, client: Client) => void;

const SENT = '"sent":"';

export class Client {
  readonly plan: Plan;
  bytes = 0;
  crc = 0;
  status = 0;
  /** The answer came to its proper end. */
  whole = false;
  /** Settles when the answer is whole or the connection is over. */
  readonly over: Promise<void>;
  /** Settles with the first byte of the answer's body, or when all is over. */
  readonly begun: Promise<void>;
  readonly #socket: Socket;
  readonly #counter: AnswerCounter;
  readonly #onBody: OnBody | null;
  #begin: () => void = () => {};
  #rest = "";

  private constructor(plan: Plan, socket: Socket, onBody: OnBody | null) {
    this.plan = plan;
    this.#socket = socket;
    this.#onBody = onBody;
    this.#counter = new AnswerCounter((bytes) => this.#take(bytes));
    this.begun = new Promise((resolve) => (this.#begin = resolve));
    this.over = new Promise((resolve) => {
      socket.on("data", (piece: Buffer) => {
        this.whole ||= this.#counter.take(piece);
        this.status = this.#counter.status;
        if (this.whole) resolve();
      });
      // What breaks a connection is told by what is missing of its answer.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => (this.#begin(), resolve()));
    });
  }

  /** `onBody` sees each piece of the answer's body as it comes. `reads: false`: not a byte is taken from the socket. */
  static async open(
    { port, path }: Pick<Target, "port" | "path">,
    plan: Plan,
    { onBody = null, reads = true }: { onBody?: OnBody | null; reads?: boolean } = {},
  ): Promise<Client> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    const client = new Client(plan, socket, onBody);
    if (!reads) socket.pause();
    socket.write(requestFor(port, path, plan));
    return client;
  }

  leave(how: Leaving): void {
    if (how === "reset") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.crc = crc32(bytes, this.crc);
    this.#begin();
    this.#onBody?.(bytes, this);
  }

  /** Milliseconds since each event that is whole with these bytes was sent, on the clock that all processes share. */
  delays(bytes: Buffer): number[] {
    const now = process.hrtime.bigint();
    const text = this.#rest + bytes.toString("latin1");
    const found: number[] = [];
    let at = text.indexOf(SENT);
    let read = 0;
    while (at !== -1) {
      const end = text.indexOf('"', at + SENT.length);
      if (end === -1) break;
      found.push(Number(now - BigInt(text.slice(at + SENT.length, end))) / 1e6);
      read = end;
      at = text.indexOf(SENT, end);
    }
    // Of a piece without a whole event, its end may be the beginning of one.
    this.#rest = at === -1 ? text.slice(Math.max(read, text.length - SENT.length)) : text.slice(at);
    return found;
  }
}

/** 2 KB of chat with an owner who is to be preferred to the credential's holder. */
function requestFor(port: number, path: string, plan: Plan): Uint8Array {
  const asking = plan.asked ? { stream_options: { include_usage: true } } : {};
  const content = 'Where is the retry delay computed, and "why" is it capped?\n'.repeat(32);
  return requestBytes(port, {
    method: "POST",
    target: path,
    headers: [
      ["Authorization", `Bearer ${CLIENT_KEY}`],
      ["Content-Type", "application/json"],
      ["User-Agent", "coder-agents/v2.30.0 (linux/amd64)"],
      ["X-Coder-Owner-Id", "4f0c5f6e-8a1b-4c3d-9e2f-5a6b7c8d9e0f"],
      ["X-Coder-Chat-Id", "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"],
      [PLAN_HEADER, JSON.stringify(plan)],
    ],
    body: JSON.stringify({
      model: "gpt-5-mini",
      messages: [{ role: "user", content }],
      stream: true,
      ...asking,
    }),
  });
}
