/** A body that the provider could read as other text than the gateway checked. */
import { describe, expect, it } from "vitest";
import { BODY, CHAT, chatResponse, OWN_KEY, post } from "../../support/in-workerd/calls.ts";
import { openGateway, PROVIDERS } from "../../support/in-workerd/gateway-harness.ts";

const LISTED = { ...PROVIDERS, openai: { ...PROVIDERS.openai, models: ["gpt-4o"] } };

async function statusOf(path: string, type: string, body: BodyInit = BODY, method = "POST") {
  const gateway = await openGateway({ vars: { PROVIDERS: LISTED }, provider: chatResponse });
  const init = { ...post(body, { ...OWN_KEY, "content-type": type }), method };
  const { response } = await gateway.exchange(path, init);
  return [response.status, response.headers.get("x-interceptor-error"), gateway.sent.length];
}

// The attack: the gateway reads `model: cheap` in UTF-8, and a server that honors the charset reads another model.
const OTHER = [
  "application/json; charset=utf-7",
  "application/json;charset=UTF-7",
  "application/json; CHARSET=utf-16",
  'application/json; charset="utf-16le"',
  "application/json; charset=utf-8; charset=utf-7",
  "application/json; charset=utf-7; charset=utf-8",
  "application/json; charset = utf-7",
  "application/json; charset*=utf-8''utf-7",
  "application/json; charset*0=utf-7",
  'application/json; charset="utf\\-7"',
  "application/json; charset='utf-8'",
  "application/json; charset=utf-8, text/plain; charset=utf-7",
  "application/json; charset=",
  "application/json; charset",
  "application/json; charset=us-ascii",
  "application/json; charset=iso-8859-1",
  "application/json; charset=utf-8-sig",
  "application/json; charset=utf-32",
  "application/json; charset=cp037",
  "application/json,charset=utf-7",
  "text/plain; charset=ibm037",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=b; charset=utf-16",
  `application/json; x="${"y".repeat(2000)}"`,
];

const REFUSED = [415, "body_type_unsupported", 0];

describe("Finding M12: a charset other than UTF-8", () => {
  it.each(OTHER)("is refused for a model call: %s", async (type) => {
    expect(await statusOf(CHAT, type)).toEqual(REFUSED);
    expect(await statusOf("/anthropic/v1/messages", type)).toEqual(REFUSED);
    expect(await statusOf("/openai/v1/images/edits", type)).toEqual(REFUSED);
  });

  it.each(OTHER)("is refused for a passthrough whose model is checked: %s", async (type) => {
    expect(await statusOf("/openai/v1/responses/input_tokens", type)).toEqual(REFUSED);
    expect(await statusOf("/openai/v1/images/other", type, BODY, "PUT")).toEqual(REFUSED);
  });

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json; charset=utf8",
    "application/json; charset=utf-8; charset=UTF-8",
    "application/vnd.api+json",
    "text/plain",
  ])("does not concern %s", async (type) => {
    for (const path of [CHAT, "/openai/v1/responses/input_tokens"])
      expect(await statusOf(path, type)).toEqual([200, null, 1]);
  });

  it("is not needed to refuse UTF-16: with a byte order mark, without one, in either order", async () => {
    for (const mark of ["", "\ufeff"]) {
      const text = mark + BODY;
      const little = new Uint8Array(new Uint16Array([...text].map((one) => one.charCodeAt(0))).buffer);
      const big = little.map((_, at) => little[at ^ 1] ?? 0);
      for (const body of [little, big]) {
        expect(await statusOf(CHAT, "application/json", body)).toEqual([400, "body_invalid", 0]);
      }
    }
  });

  it.each(["utf-16", "utf-7", "us-ascii"])(
    "in a form's part for the model is refused: %s",
    async (charset) => {
      const body = `--b\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=${charset}\r\n\r\ngpt-4o\r\n--b--\r\n`;
      const result = await statusOf("/openai/v1/images/edits", "multipart/form-data; boundary=b", body);
      expect(result).toEqual([400, "form_invalid", 0]);
    },
  );
});

describe("Finding M6: the model list", () => {
  // The attack: an unlisted model by a method that the list did not look at.
  it.each(["POST", "PUT", "PATCH", "DELETE"])("applies to the body of %s", async (method) => {
    const body = '{"model":"expensive","input":"x"}';
    for (const path of ["/openai/v1/responses/any", "/openai/v1/images/other", "/openai/v1/audio/other"])
      expect(await statusOf(path, "application/json", body, method)).toEqual([403, "model_not_allowed", 0]);
    expect(await statusOf("/openai/v1/responses/any", "application/json", BODY, method)).toEqual([
      200,
      null,
      1,
    ]);
  });
});
