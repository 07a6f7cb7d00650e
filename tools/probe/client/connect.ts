/** Opens the connection of one request, and ends it in the manner of a client that disconnects. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Endpoint, Manner, Protocol } from "./http.ts";

/** HTTP/1.1 is offered too: a server without HTTP/2 would otherwise end the handshake with an alert. */
const ALPN: Readonly<Record<Protocol, readonly string[]>> = {
  "HTTP/1.1": ["http/1.1"],
  "HTTP/2": ["h2", "http/1.1"],
};

const CONNECT_MS = 15_000;

export type Connection = {
  /** The TCP or TLS socket to write on. */
  readonly socket: Socket;
  readonly end: (manner: Exclude<Manner, "cancel">) => void;
};

/** Rejects where the server cannot be reached, or does not negotiate the protocol. */
export async function connect({ url, ca }: Endpoint, protocol: Protocol): Promise<Connection> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const tcp = connectTcp({ host, port: Number(url.port || (url.protocol === "https:" ? 443 : 80)) });
  // The TLS socket above it reports the same error.
  tcp.on("error", () => undefined);
  tcp.setNoDelay(true);
  const socket = url.protocol === "https:" ? secure(tcp, host, ALPN[protocol], ca) : tcp;
  const timer = setTimeout(() => {
    tcp.destroy();
    socket.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`));
  }, CONNECT_MS);
  await ready(socket, url.protocol === "https:" ? "secureConnect" : "connect").finally(() =>
    clearTimeout(timer),
  );
  if (url.protocol === "https:" && protocol === "HTTP/2" && alpnOf(socket) !== "h2") {
    socket.destroy();
    throw new Error("the server does not negotiate HTTP/2");
  }
  return {
    socket,
    end: (manner) => {
      if (manner === "reset") return void tcp.resetAndDestroy();
      // FIN before the descriptor is closed: unread bytes would turn a close into a reset.
      socket.end(() => socket.destroy());
    },
  };
}

function secure(tcp: Socket, host: string, protocols: readonly string[], ca: string | undefined): Socket {
  // A server name is never an address (RFC 6066 §3).
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ socket: tcp, host, ...name, ALPNProtocols: [...protocols], ...(ca && { ca }) });
}

const alpnOf = (socket: Socket): unknown => ("alpnProtocol" in socket ? socket.alpnProtocol : null);

function ready(socket: Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once(event, () => {
      socket.off("error", reject);
      // Later errors reach the request.
      socket.on("error", () => undefined);
      resolve();
    });
  });
}
