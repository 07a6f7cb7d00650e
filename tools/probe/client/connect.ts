/** Opens the connection of one request, and ends it in the manner of a client that disconnects. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Endpoint, Manner, Protocol } from "./http.ts";

const ALPN: Readonly<Record<Protocol, string>> = { "HTTP/1.1": "http/1.1", "HTTP/2": "h2" };

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
  await ready(socket, url.protocol === "https:" ? "secureConnect" : "connect");
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

function secure(tcp: Socket, host: string, protocol: string, ca: string | undefined): Socket {
  return connectTls({ socket: tcp, servername: host, ALPNProtocols: [protocol], ...(ca && { ca }) });
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
