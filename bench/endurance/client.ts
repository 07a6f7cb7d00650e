/** One client: a raw socket with one request. It keeps the response's checksum and size, and the delays of paced events. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { requestBytes } from "../../test/support/raw-request.ts";
import { ResponseCounter } from "../response-counter.ts";
import { CLIENT_KEY } from "../traffic.ts";
import { PLAN_HEADER, type Plan } from "./plan.ts";

export type Target = { readonly port: number; readonly path: string; readonly pid: number };
export type Disconnect = "fin" | "reset";

export type OnBody = (bytes: Buffer, client: Client) => void;

const SENT = '"sent":"';

export class Client {
  readonly plan: Plan;
  bytes = 0;
  crc = 0;
  status = 0;
  /** Whether the response ended as its framing requires. */
  complete = false;
  /** Settles when the response is complete or the connection is closed. */
  readonly over: Promise<void>;
  /** Settles with the first byte of the response's body, or when the connection is closed. */
  readonly begun: Promise<void>;
  readonly #socket: Socket;
  readonly #counter: ResponseCounter;
  readonly #onBody: OnBody | null;
  #begin: () => void = () => {};
  #rest = "";

  private constructor(plan: Plan, socket: Socket, onBody: OnBody | null) {
    this.plan = plan;
    this.#socket = socket;
    this.#onBody = onBody;
    this.#counter = new ResponseCounter((bytes) => this.#take(bytes));
    this.begun = new Promise((resolve) => (this.#begin = resolve));
    this.over = new Promise((resolve) => {
      socket.on("data", (piece: Buffer) => {
        this.complete ||= this.#counter.take(piece);
        this.status = this.#counter.status;
        if (this.complete) resolve();
      });
      // A broken connection shows as an incomplete response.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => (this.#begin(), resolve()));
    });
  }

  /** `onBody` receives each piece of the body on arrival. `reads: false`: the client never reads from the socket. */
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

  disconnect(how: Disconnect): void {
    if (how === "reset") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.crc = crc32(bytes, this.crc);
    this.#begin();
    this.#onBody?.(bytes, this);
  }

  /**
   * The delay of each event that these bytes complete, in milliseconds. The time stamps come from the monotonic clock,
   * which all processes share.
   */
  delays(bytes: Buffer): number[] {
    const now = process.hrtime.bigint();
    const text = this.#rest + bytes.toString("latin1");
    const delays: number[] = [];
    let at = text.indexOf(SENT);
    let read = 0;
    while (at !== -1) {
      const end = text.indexOf('"', at + SENT.length);
      if (end === -1) break;
      delays.push(Number(now - BigInt(text.slice(at + SENT.length, end))) / 1e6);
      read = end;
      at = text.indexOf(SENT, end);
    }
    // The end of a piece may hold the start of a time stamp.
    this.#rest = at === -1 ? text.slice(Math.max(read, text.length - SENT.length)) : text.slice(at);
    return delays;
  }
}

/** A chat of 2 KB with an owner assertion. */
function requestFor(port: number, path: string, plan: Plan): Uint8Array {
  const options = plan.requestsUsage ? { stream_options: { include_usage: true } } : {};
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
      ...options,
    }),
  });
}
