/** One HTTP/1.1 request on a connection of its own. */
import { request as startRequest } from "node:http";
import { connect } from "./connect.ts";
import type { Clock, Endpoint, OpenRequest, Outgoing } from "./http.ts";
import { receiving } from "./receiving.ts";
import { sendBody } from "./send-body.ts";

export async function openHttp1(endpoint: Endpoint, outgoing: Outgoing, now: Clock): Promise<OpenRequest> {
  const connection = await connect(endpoint, "HTTP/1.1");
  const { onHead, onBytes, onEnd, ...response } = receiving(now);
  const length = outgoing.body?.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const request = startRequest({
    method: outgoing.method,
    path: outgoing.path,
    headers: {
      host: endpoint.url.host,
      connection: "close",
      ...outgoing.headers,
      ...(length !== undefined && { "content-length": String(length) }),
    },
    setDefaultHeaders: false,
    createConnection: () => connection.socket,
  });
  request.on("error", (error) => onEnd(error.message));
  request.on("response", (message) => {
    onHead({ status: message.statusCode ?? 0, headers: flatten(message.headers) });
    message.on("data", onBytes);
    message.on("error", (error) => onEnd(error.message));
    message.on("close", () => onEnd(message.complete ? null : "the connection closed early"));
  });
  sendBody(request, outgoing.body ?? []).catch((error: Error) => onEnd(error.message));
  return {
    ...response,
    disconnect: (manner) => {
      const at = now();
      connection.end(manner === "cancel" ? "close" : manner);
      return at;
    },
  };
}

export const flatten = (
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? ""].flat().join(", ")]));
