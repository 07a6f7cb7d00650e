/**
 * The bench's fake provider and fake queue. They run in a separate process, so that their processor time is not counted.
 * Responses are prepared in advance and written at once. Each event of a stream is one HTTP chunk, as real providers send
 * it.
 *
 * The first line of the output is the port.
 */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { chunk, concat, toBytes } from "../test/support/wire.ts";
import {
  JSON_RESPONSE,
  PACES,
  TOOLS_RESPONSE,
  burstEvents,
  closingEvents,
  contentEvent,
  type Pace,
} from "./responses.ts";
import { TRAFFIC_HEADER } from "./traffic.ts";

const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

const asChunks = (events: readonly string[]) => concat(events.map((event) => chunk(toBytes(event))));
const burst = (withUsage: boolean) =>
  concat([toBytes(STREAM_HEAD), asChunks(burstEvents(withUsage)), toBytes(LAST_CHUNK)]);

const BURST = { withUsage: burst(true), without: burst(false) };
const asJson = (text: string) =>
  toBytes(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
const JSON_BYTES = asJson(JSON_RESPONSE);
const TOOLS_BYTES = asJson(TOOLS_RESPONSE);

/** The queue's response to each message. */
const QUEUE_RESPONSE = asJson('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}');

function respond(socket: Socket, head: string, body: string): void {
  if (/^POST \/(?:message|batch) /.test(head)) {
    socket.write(QUEUE_RESPONSE);
    return;
  }
  const traffic = new RegExp(`^${TRAFFIC_HEADER}: (.*)$`, "im").exec(head)?.[1];
  const withUsage = /"include_usage": ?true/.test(body);
  if (traffic === "json") socket.write(JSON_BYTES);
  else if (traffic === "tools") socket.write(TOOLS_BYTES);
  else if (traffic === "steady" || traffic === "paced" || traffic === "slow") pace(socket, PACES[traffic]);
  else socket.write(withUsage ? BURST.withUsage : BURST.without);
}

/** Time stamps come from the monotonic clock, which all processes of a machine share. */
function pace(socket: Socket, { everyMs, events, stamped }: Pace): void {
  let sent = 0;
  socket.write(STREAM_HEAD);
  const timer = setInterval(() => {
    if (sent < events) {
      sent += 1;
      const stamp = stamped ? { sent: String(process.hrtime.bigint()) } : {};
      const text = contentEvent(` word${sent}`, stamp);
      socket.write(chunk(toBytes(text)));
      return;
    }
    clearInterval(timer);
    socket.write(concat([asChunks(closingEvents(true)), toBytes(LAST_CHUNK)]));
  }, everyMs);
  socket.once("close", () => clearInterval(timer));
}

/** A connection has one request at a time, with a content length or in chunks. */
function serve(socket: Socket): void {
  let buffered = "";
  socket.setNoDelay();
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (text: string) => {
    buffered += text;
    const headEnd = buffered.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = buffered.slice(0, headEnd);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    const bodyStart = headEnd + 4;
    const isComplete =
      length === undefined ? buffered.endsWith(LAST_CHUNK) : buffered.length >= bodyStart + Number(length);
    if (!isComplete) return;
    const body = buffered.slice(bodyStart);
    buffered = "";
    respond(socket, head, body);
  });
}

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
// The parent's exit closes stdin.
process.stdin.on("end", () => process.exit()).resume();
