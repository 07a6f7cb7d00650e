/** Each quirk of a real provider: what is recorded of it, and that no split of its bytes changes that. */
import { describe, expect, it } from "vitest";
import { declaredKind } from "../../../src/shared/http/body-headers.ts";
import { createBodyParser } from "../../../src/gateway/observation/body-parser.ts";
import type { ContentOptions, ResponseReader } from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { QUIRKS, type Quirk } from "../../../tools/emulator/quirks.ts";
import { post } from "../../support/in-workerd/calls.ts";
import { HELD_BYTES, KEEP_ALL } from "../../support/in-workerd/fixtures.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";
import { QUIRK_CASES } from "../../support/quirk-cases.ts";
import { byteByByte, everySplit } from "../../support/rechunk.ts";

const READERS: Readonly<Record<string, (keep: ContentOptions) => ResponseReader>> = {
  "/v1/chat/completions": chatReader,
  "/v1/responses": responsesReader,
  "/v1/messages": messagesReader,
};
const cases = Object.entries(QUIRKS) as [keyof typeof QUIRKS, Quirk][];
const streamed = cases.flatMap(([name, quirk]) =>
  [true, false].map((stream) => [name, stream ? "streamed" : "not streamed", quirk, stream] as const),
);

function headersOf(contentType: string | null, others: Readonly<Record<string, string>> = {}): Headers {
  return new Headers({ ...others, ...(contentType !== null && { "content-type": contentType }) });
}

describe("the record of a response that differs from the documentation", () => {
  it.each(streamed)("%s, %s", async (name, _, quirk, stream) => {
    const gateway = await openGateway({
      provider: (sent) => {
        const hasUsageOption = text(sent.body).includes("stream_options");
        const { status, contentType, body, headers } = quirk.respond({ stream, hasUsageOption });
        const response = new Response(wholeBody(body), { status, headers: headersOf(contentType, headers) });
        if (contentType === null) response.headers.delete("content-type");
        return response;
      },
    });
    const isMessages = quirk.path === "/v1/messages";
    const messages = [{ role: "user", content: "Hi" }];
    const body =
      quirk.path === "/v1/responses" ? { input: "Hi" } : { messages, ...(isMessages && { max_tokens: 9 }) };
    const path = isMessages ? `/anthropic${quirk.path}` : `/openai${quirk.path}`;
    const { events } = await gateway.exchange(path, post(JSON.stringify({ model: name, stream, ...body })));
    expect(events.find(({ record_type: type }) => type === "interception_end")).toMatchObject(
      QUIRK_CASES[name],
    );
  });

  it.each(streamed)("is the same at every split: %s, %s", (_name, _label, quirk, stream) => {
    const { contentType, body } = quirk.respond({ stream, hasUsageOption: false });
    const createReader = READERS[quirk.path];
    if (!createReader) throw new Error(`no reader for ${quirk.path}`);
    const read = (pieces: readonly Uint8Array[]) => {
      const parser = createBodyParser(
        declaredKind(headersOf(contentType)),
        createReader(KEEP_ALL),
        HELD_BYTES,
      );
      for (const piece of pieces) parser.bytes(piece);
      return { report: parser.finish(), kind: parser.kind() };
    };
    const bytes = utf8(body);
    const whole = read([bytes]);
    for (const pieces of everySplit(bytes)) expect(read(pieces)).toEqual(whole);
    expect(read(byteByByte(bytes))).toEqual(whole);
  });
});
