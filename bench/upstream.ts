/**
 * The fake provider of the bench, and the queue that the ledger's events go to, in a process of their own so that their
 * work is on nobody's account. Answers are made
 * beforehand and written whole; each event of a stream is an HTTP chunk of its own, as providers send them.
 *
 * Prints its port as the first line.
 */
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { chunk, concat, toBytes } from "../test/support/wire.ts";
import {
  JSON_ANSWER,
  PACES,
  TOOLS_ANSWER,
  burstEvents,
  closingEvents,
  contentEvent,
  type Pace,
} from "./answers.ts";
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
const JSON_BYTES = asJson(JSON_ANSWER);
const TOOLS_BYTES = asJson(TOOLS_ANSWER);

/** What a queue says to each message that it takes. */
const TAKEN_BYTES = asJson('{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}');

function answer(socket: Socket, head: string, body: string): void {
  if (/^POST \/(?:message|batch) /.test(head)) {
    socket.write(TAKEN_BYTES);
    return;
  }
  const traffic = new RegExp(`^${TRAFFIC_HEADER}: (.*)$`, "im").exec(head)?.[1];
  const withUsage = /"include_usage": ?true/.test(body);
  if (traffic === "json") socket.write(JSON_BYTES);
  else if (traffic === "tools") socket.write(TOOLS_BYTES);
  else if (traffic === "steady" || traffic === "paced" || traffic === "slow") pace(socket, PACES[traffic]);
  else socket.write(withUsage ? BURST.withUsage : BURST.without);
}

/** Where asked, each event says when it was sent, on the clock that all processes of a machine share. */
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

/** Requests come one at a time per connection, by length or in chunks. */
function serve(socket: Socket): void {
  let held = "";
  socket.setNoDelay();
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (text: string) => {
    held += text;
    const headEnd = held.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = held.slice(0, headEnd);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    const bodyStart = headEnd + 4;
    const whole =
      length === undefined ? held.endsWith(LAST_CHUNK) : held.length >= bodyStart + Number(length);
    if (!whole) return;
    const body = held.slice(bodyStart);
    held = "";
    answer(socket, head, body);
  });
}

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
// The bench's end is ours too.
process.stdin.on("end", () => process.exit()).resume();
