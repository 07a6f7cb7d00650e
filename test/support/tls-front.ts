/** TLS with HTTP/2 in front of a plain HTTP/1.1 server, as an edge network has it. */
import { request as startRequest, type IncomingHttpHeaders } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { selfSigned } from "./self-signed.ts";

export type TlsFront = {
  /** `https://localhost:…` */
  readonly url: URL;
  /** Its certificate, to trust. */
  readonly ca: string;
  readonly close: () => void;
};

/** Forwards each request on a connection of its own, which it ends when the client disconnects. */
export async function startTlsFront(target: URL): Promise<TlsFront> {
  const { key, cert } = selfSigned();
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (incoming, response) => {
    const headers = { ...withoutPseudo(incoming.headers), host: target.host };
    const { method = "GET", url = "/" } = incoming;
    const outgoing = startRequest({
      host: target.hostname,
      port: target.port,
      path: url,
      method,
      headers,
      agent: false,
    });
    outgoing.on("error", () => response.stream?.destroy());
    outgoing.on("response", (message) => {
      response.writeHead(message.statusCode ?? 502, withoutConnection(message.headers));
      message.on("data", (bytes) => void response.write(bytes));
      message.on("end", () => response.end());
      message.on("error", () => undefined);
    });
    incoming.pipe(outgoing);
    response.on("close", () => outgoing.destroy());
  });
  server.on("sessionError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`https://localhost:${port}`), ca: cert, close: () => void server.close() };
}

const withoutPseudo = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":")));

/** Headers that HTTP/2 does not allow (RFC 9113 §8.2.2). */
const CONNECTION = new Set(["connection", "keep-alive", "transfer-encoding"]);
const withoutConnection = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !CONNECTION.has(name)));
