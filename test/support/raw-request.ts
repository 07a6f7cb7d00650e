/** Requests as bytes. Strings in the head are Latin-1, one character per byte; `utf8()` encodes other text. */
import { chunk, concat, fromLatin1, headerValues, toBytes, type HeaderPair } from "./wire.ts";

export type RawRequest = {
  readonly method?: string;
  readonly target: string;
  /** `Host` is added if absent. For a `body` without a framing header, so is `Content-Length`. */
  readonly headers?: readonly HeaderPair[];
  readonly body?: Uint8Array | string;
  /** HTTP chunks to send instead of `body`. */
  readonly chunks?: readonly (Uint8Array | string)[];
};

export function requestBytes(port: number, request: RawRequest): Uint8Array {
  const { target, headers = [], body, chunks } = request;
  const method = request.method ?? (body === undefined && chunks === undefined ? "GET" : "POST");
  const all: HeaderPair[] = [...headers];
  if (headerValues(headers, "host").length === 0) all.unshift(["Host", `127.0.0.1:${port}`]);
  const isFramed =
    headerValues(headers, "content-length").length + headerValues(headers, "transfer-encoding").length > 0;
  if (!isFramed && chunks) all.push(["Transfer-Encoding", "chunked"]);
  if (!isFramed && body !== undefined) all.push(["Content-Length", String(toBytes(body).length)]);
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const pieces = chunks ? [...chunks, ""].map((piece) => chunk(toBytes(piece))) : [toBytes(body ?? "")];
  return concat([fromLatin1(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`), ...pieces]);
}
