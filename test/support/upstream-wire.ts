/** The fake provider's side of one connection. The steps of a response write to it. */
import type { Socket } from "node:net";
import { chunk, fromLatin1, toBytes } from "./wire.ts";
import type { Framing, Wire } from "./response-steps.ts";

const LAST_CHUNK = fromLatin1("0\r\n\r\n");

export function openWire(socket: Socket, gone: Promise<void>): Wire {
  let framing: Framing = "chunked";
  const write = (bytes: Uint8Array): Promise<void> => {
    if (socket.destroyed || !socket.writable) return Promise.resolve();
    // Backpressure: a peer that stops reading blocks the response here until it reads again or disconnects.
    const sent = new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    return Promise.race([sent, gone]);
  };
  return {
    gone,
    head: (status, headers, chosen) => {
      framing = chosen;
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
      if (chosen === "chunked") lines.push("Transfer-Encoding: chunked\r\n");
      if (chosen === "until-close") lines.push("Connection: close\r\n");
      return write(fromLatin1(`HTTP/1.1 ${status} Fake\r\n${lines.join("")}\r\n`));
    },
    body: (piece) => {
      const bytes = toBytes(piece);
      // An empty chunk would end the body.
      if (bytes.length === 0) return Promise.resolve();
      return write(framing === "chunked" ? chunk(bytes) : bytes);
    },
    raw: (piece) => write(typeof piece === "string" ? fromLatin1(piece) : piece),
    finish: async () => {
      if (framing === "chunked") await write(LAST_CHUNK);
      if (framing === "until-close") socket.end();
    },
    fin: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
  };
}
