/**
 * An HTTP/1.1 client that sends exactly the bytes it is given: what `fetch` refuses to send, and what only a broken or
 * hostile client would. Strings in the head are Latin-1, one character per byte; `utf8()` gives other texts.
 *
 *     const answer = await rawRequest(port, { target: "/v1/models", headers: [["X-A", "1"], ["X-A", "2"]] });
 */
import { connect } from "node:net";
import { within } from "./deadline.ts";
import { requestBytes, type RawRequest } from "./raw-request.ts";
import {
  ByteQueue,
  chunk,
  concat,
  fromLatin1,
  headerValues,
  latin1,
  readBody,
  readHead,
  toBytes,
} from "./wire.ts";
import type { HeaderPair } from "./wire.ts";

export type RawResponse = {
  readonly status: number;
  /** In order, repeats apart. */
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
  /** All values of one header, the name in any case. */
  values(name: string): string[];
  text(): string;
};

/** One request and its whole answer on a connection of its own. Throws `ConnectionEnded` if the answer is cut short. */
export async function rawRequest(port: number, request: RawRequest): Promise<RawResponse> {
  const connection = await openRaw(port);
  try {
    connection.write(requestBytes(port, request));
    return await connection.readResponse(request.method);
  } finally {
    connection.destroy();
  }
}

export type RawConnection = {
  /** Bytes as they are; text is Latin-1. */
  write(bytes: Uint8Array | string): void;
  /** Writes a request's head and body. */
  send(request: RawRequest): void;
  /** One HTTP chunk; the empty one ends the body. */
  writeChunk(bytes: Uint8Array | string): void;
  /** Everything received so far, head and framing included. */
  received(): Uint8Array;
  /** What was received, as Latin-1, as soon as `enough` says so. Fails if the peer ends first. */
  readUntil(enough: (received: string) => boolean): Promise<string>;
  /** The next whole answer. `HEAD` answers have no body. 1xx answers are skipped. */
  readResponse(method?: string): Promise<RawResponse>;
  /** FIN: we send no more, and still read. */
  end(): void;
  /** RST. */
  abort(): void;
  destroy(): void;
  /** How the peer left. */
  readonly closed: Promise<"end" | "reset">;
};

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  const queue = new ByteQueue();
  const received: Uint8Array[] = [];
  const listeners = new Set<() => void>();
  const tell = () => listeners.forEach((listener) => listener());
  socket.on("data", (bytes: Buffer) => {
    const piece = new Uint8Array(bytes);
    received.push(piece);
    queue.push(piece);
    tell();
  });
  const closed = new Promise<"end" | "reset">((resolve) => {
    socket.once("end", () => resolve("end"));
    socket.on("error", () => resolve("reset"));
    socket.once("close", () => resolve("end"));
  });
  void closed.then((how) => {
    queue.end(`the peer's side closed: ${how}`);
    tell();
  });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));

  const write = (bytes: Uint8Array | string) =>
    void socket.write(typeof bytes === "string" ? fromLatin1(bytes) : bytes);
  const soFar = () => latin1(concat(received));
  return {
    write,
    send: (request) => write(requestBytes(port, request)),
    writeChunk: (bytes) => write(chunk(toBytes(bytes))),
    received: () => concat(received),
    readUntil: (enough) => readUntil(enough, soFar, listeners, closed),
    readResponse: (method) =>
      within(readAnswer(queue, method), () => `waited for an answer; received ${soFar()}`),
    end: () => void socket.end(),
    abort: () => void socket.resetAndDestroy(),
    destroy: () => void socket.destroy(),
    closed,
  };
}

function readUntil(
  enough: (received: string) => boolean,
  soFar: () => string,
  listeners: Set<() => void>,
  closed: Promise<unknown>,
): Promise<string> {
  const { promise: found, resolve, reject } = Promise.withResolvers<string>();
  const look = () => (enough(soFar()) ? resolve(soFar()) : undefined);
  listeners.add(look);
  look();
  void closed.then((how) => {
    // The last bytes and the end can come together: look once more before giving up.
    look();
    reject(new Error(`the peer's side closed (${String(how)}) after ${soFar()}`));
  });
  return within(found, () => `waited for more than ${soFar()}`).finally(() => listeners.delete(look));
}

async function readAnswer(queue: ByteQueue, method = "GET"): Promise<RawResponse> {
  const { firstLine, headers } = await readHead(queue);
  const status = Number(firstLine.split(" ")[1]);
  if (status >= 100 && status < 200 && status !== 101) return readAnswer(queue, method);
  const pieces: Uint8Array[] = [];
  const bodiless = method === "HEAD" || status === 204 || status === 304 || status === 101;
  if (!bodiless) await readBody(queue, headers, "until-close", (piece) => pieces.push(piece));
  const body = concat(pieces);
  return {
    status,
    headers,
    body,
    values: (name) => headerValues(headers, name),
    text: () => new TextDecoder().decode(body),
  };
}
