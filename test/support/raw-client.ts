/**
 * An HTTP/1.1 client that sends exactly the given bytes, including requests that `fetch` cannot send and only a broken
 * or hostile client would. Strings in the head are Latin-1, one character per byte; `utf8()` encodes other text.
 *
 *     const response = await rawRequest(port, { target: "/v1/models", headers: [["X-A", "1"], ["X-A", "2"]] });
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
  /** In order; repeated headers stay separate. */
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
  /** All values of one header. The name matches in any case. */
  values(name: string): string[];
  text(): string;
};

/** Sends one request on a new connection and reads its response. @throws ConnectionEnded if that is truncated. */
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
  /** Writes bytes unchanged. Text is Latin-1. */
  write(bytes: Uint8Array | string): void;
  /** Writes a request's head and body. */
  send(request: RawRequest): void;
  /** Writes one HTTP chunk. The empty chunk ends the body. */
  writeChunk(bytes: Uint8Array | string): void;
  /** All bytes received so far, including head and framing. */
  received(): Uint8Array;
  /** The received bytes as Latin-1, as soon as `isDone` accepts them. @throws if the peer ends first. */
  readUntil(isDone: (received: string) => boolean): Promise<string>;
  /** The next complete response. A response to `HEAD` has no body. 1xx responses are skipped. */
  readResponse(method?: string): Promise<RawResponse>;
  /** Sends FIN. The connection can still read. */
  end(): void;
  /** Sends RST. */
  abort(): void;
  destroy(): void;
  /** How the peer closed the connection. */
  readonly closed: Promise<"end" | "reset">;
};

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  const queue = new ByteQueue();
  const received: Uint8Array[] = [];
  const listeners = new Set<() => void>();
  const notify = () => listeners.forEach((listener) => listener());
  socket.on("data", (bytes: Buffer) => {
    const piece = new Uint8Array(bytes);
    received.push(piece);
    queue.push(piece);
    notify();
  });
  const closed = new Promise<"end" | "reset">((resolve) => {
    socket.once("end", () => resolve("end"));
    socket.on("error", () => resolve("reset"));
    socket.once("close", () => resolve("end"));
  });
  void closed.then((how) => {
    queue.end(`the peer's side closed: ${how}`);
    notify();
  });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));

  const write = (bytes: Uint8Array | string) =>
    void socket.write(typeof bytes === "string" ? fromLatin1(bytes) : bytes);
  const receivedText = () => latin1(concat(received));
  return {
    write,
    send: (request) => write(requestBytes(port, request)),
    writeChunk: (bytes) => write(chunk(toBytes(bytes))),
    received: () => concat(received),
    readUntil: (isDone) => readUntil({ isDone, text: receivedText, listeners, closed }),
    readResponse: (method) =>
      within(readResponse(queue, method), () => `waited for a response; received ${receivedText()}`),
    end: () => void socket.end(),
    abort: () => void socket.resetAndDestroy(),
    destroy: () => void socket.destroy(),
    closed,
  };
}

type PendingRead = {
  readonly isDone: (received: string) => boolean;
  readonly text: () => string;
  readonly listeners: Set<() => void>;
  readonly closed: Promise<unknown>;
};

function readUntil({ isDone, text, listeners, closed }: PendingRead): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const check = () => (isDone(text()) ? resolve(text()) : undefined);
  listeners.add(check);
  check();
  void closed.then((how) => {
    // The last bytes and the end can arrive together, so check once more before the rejection.
    check();
    reject(new Error(`the peer's side closed (${String(how)}) after ${text()}`));
  });
  return within(promise, () => `waited for more than ${text()}`).finally(() => listeners.delete(check));
}

async function readResponse(queue: ByteQueue, method = "GET"): Promise<RawResponse> {
  const { firstLine, headers } = await readHead(queue);
  const status = Number(firstLine.split(" ")[1]);
  if (status >= 100 && status < 200 && status !== 101) return readResponse(queue, method);
  const pieces: Uint8Array[] = [];
  const hasNoBody = method === "HEAD" || status === 204 || status === 304 || status === 101;
  if (!hasNoBody) await readBody(queue, headers, "until-close", (piece) => pieces.push(piece));
  const body = concat(pieces);
  return {
    status,
    headers,
    body,
    values: (name) => headerValues(headers, name),
    text: () => new TextDecoder().decode(body),
  };
}
