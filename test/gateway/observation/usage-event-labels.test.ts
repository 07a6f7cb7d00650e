/** The injected usage event is removed however the provider labels, delimits, begins and cuts its stream. */
import { describe, expect, it } from "vitest";
import { post } from "../../support/in-workerd/calls.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { byteByByte } from "../../support/rechunk.ts";

const chunk = (fields: object) => ({ id: "c1", object: "chat.completion.chunk", model: "m", ...fields });
const CONTENT = chunk({ choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: null }] });
const FINISH = chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
const USAGE = chunk({
  choices: [],
  usage: { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 },
});
const BOM = "\uFEFF";
const events = (...values: readonly unknown[]): string =>
  values.map((value) => `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`).join("");
const lines = (...values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");

const FROM = events(CONTENT, FINISH, USAGE, "[DONE]");
const TO = events(CONTENT, FINISH, "[DONE]");
const named = (stream: string): string => stream.replaceAll("data: ", "event: message\nid: 4\ndata: ");
const STREAMS: readonly (readonly [name: string, from: string, to: string])[] = [
  ["plain", FROM, TO],
  ["with a byte order mark", BOM + FROM, BOM + TO],
  ["after blank lines", `\n\n${FROM}`, `\n\n${TO}`],
  ["after a comment", `: a\n\n${FROM}`, `: a\n\n${TO}`],
  ["after retry:", `retry:9\n\n${FROM}`, `retry:9\n\n${TO}`],
  ["with CR", FROM.replaceAll("\n", "\r"), TO.replaceAll("\n", "\r")],
  ["with CRLF", FROM.replaceAll("\n", "\r\n"), TO.replaceAll("\n", "\r\n")],
  ["without blanks after data:", FROM.replaceAll("data: ", "data:"), TO.replaceAll("data: ", "data:")],
  ["with names and ids", named(FROM), named(TO)],
  ["with the usage first", events(USAGE, CONTENT, FINISH, "[DONE]"), TO],
  ["of lines", lines(CONTENT, FINISH, USAGE), lines(CONTENT, FINISH)],
  ["of lines without the last line's end", lines(CONTENT, FINISH, USAGE).trimEnd(), lines(CONTENT, FINISH)],
];
const TYPES = ["text/event-stream", "text/plain", "application/json", "application/x-ndjson", null];

function respond(body: string, type: string | null, hasLength: boolean, isCut: boolean): Response {
  const bytes = utf8(body);
  const response = new Response(wholeBody(...(isCut ? byteByByte(bytes) : [bytes])));
  if (type !== null) response.headers.set("content-type", type);
  if (hasLength) response.headers.set("content-length", String(bytes.byteLength));
  return response;
}

describe.each(TYPES)("a stream labelled %s", (type) => {
  describe.each([false, true])("with a Content-Length: %s", (hasLength) => {
    it.each(STREAMS)("loses the usage event alone, %s", async (_, from, to) => {
      for (const isCut of [false, true]) {
        const gateway = await openGateway({ provider: () => respond(from, type, hasLength, isCut) });
        const request = { model: "m", stream: true, messages: [{ role: "user", content: "Hi" }] };
        const { bytes, events: recorded } = await gateway.exchange(
          "/openai/v1/chat/completions",
          post(JSON.stringify(request)),
        );
        expect(bytes).toEqual(utf8(to));
        expect(recorded.find(({ record_type: kind }) => kind === "interception_end")).toMatchObject({
          outcome: "completed",
          usage: "final",
          input_tokens: 20,
          output_tokens: 5,
        });
      }
    });
  });
});
