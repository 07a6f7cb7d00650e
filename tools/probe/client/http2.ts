/** One HTTP/2 request on a connection of its own. Over plain TCP only for tests: no public server offers that. */
import { connect as connectSession, constants, type ClientHttp2Session } from "node:http2";
import { connect, type Connection } from "./connect.ts";
import type { Clock, Endpoint, Manner, OpenRequest, Outgoing } from "./http.ts";
import { flatten } from "./http1.ts";
import { receiving } from "./receiving.ts";
import { sendBody } from "./send-body.ts";

export async function openHttp2(endpoint: Endpoint, outgoing: Outgoing, now: Clock): Promise<OpenRequest> {
  const connection = await connect(endpoint, "HTTP/2");
  const { onHead, onBytes, onEnd, ...response } = receiving(now);
  const session = connectSession(endpoint.url.origin, { createConnection: () => connection.socket });
  session.on("error", (error: Error) => onEnd(error.message));
  const { method, path, headers, body = [] } = outgoing;
  const stream = session.request({ ":method": method, ":path": path, ...headers });
  stream.on("response", ({ ":status": status = 0, ...fields }) =>
    onHead({ status: Number(status), headers: flatten(fields as Parameters<typeof flatten>[0]) }),
  );
  stream.on("data", onBytes);
  stream.on("error", (error: Error) => onEnd(error.message));
  let isCanceled = false;
  stream.on("close", () => {
    onEnd(stream.readableEnded ? null : `the stream closed early (code ${stream.rstCode})`);
    // After a cancel only the stream ends, as in a client that shares one connection between its requests.
    if (isCanceled) session.unref();
    else session.close();
  });
  sendBody(stream, body).catch((error: Error) => onEnd(error.message));
  return {
    ...response,
    disconnect: (manner) => {
      const at = now();
      if (manner !== "cancel") endSession(session, connection, manner);
      else {
        isCanceled = true;
        stream.close(constants.NGHTTP2_CANCEL);
      }
      return at;
    },
  };
}

function endSession(
  session: ClientHttp2Session,
  connection: Connection,
  manner: Exclude<Manner, "cancel">,
): void {
  if (manner === "reset") return connection.end("reset");
  session.goaway(constants.NGHTTP2_NO_ERROR);
  // GOAWAY is written in the next turn; `end` then sends it, and FIN after it.
  setImmediate(() => connection.end("close"));
}
