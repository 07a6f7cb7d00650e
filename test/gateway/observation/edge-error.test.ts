/** Responses of a network in front of the provider, by status, headers and body, in each way of observing. */
import { describe, expect, it } from "vitest";
import { EDGE_ERRORS } from "../../../src/events/vocabulary.ts";
import type { BodyKind } from "../../../src/shared/http/body-headers.ts";
import { createBodyParser } from "../../../src/gateway/observation/body-parser.ts";
import { edgeErrorOf, watchForEdgeError } from "../../../src/gateway/observation/edge-error.ts";
import { EMPTY_REPORT } from "../../../src/gateway/provider/response-reader.ts";
import { HELD_BYTES } from "../../support/in-workerd/fixtures.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

const HTML = { "content-type": "text/html; charset=UTF-8" };
const JSON_TYPE = { "content-type": "application/json" };
const CHALLENGE = '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head></html>';

const NO_READER = { event: () => undefined, body: () => undefined, report: () => EMPTY_REPORT };

/** The recorded error of a response whose bytes arrive whole, and one by one. */
function errorsOf(
  status: number,
  headers: Record<string, string>,
  body: string,
  { reported = null, kind = "opaque" }: { reported?: string | null; kind?: BodyKind } = {},
): (string | null)[] {
  const response = new Response(null, { status, headers });
  const bytes = utf8(body);
  const whole = watchForEdgeError(response, createBodyParser(kind, NO_READER, HELD_BYTES));
  whole.parser.body(bytes);
  const single = watchForEdgeError(response, createBodyParser(kind, NO_READER, HELD_BYTES));
  const buffer = new Uint8Array(1);
  for (const byte of bytes) {
    buffer[0] = byte;
    single.parser.bytes(buffer);
  }
  return [...new Set([whole.errorOf(reported), single.errorOf(reported)])];
}

describe("a challenge", () => {
  it.each([
    ["the header on a 403", 403, { ...HTML, "cf-mitigated": "challenge" }],
    ["the header on a 503", 503, { ...HTML, "cf-mitigated": "challenge" }],
    ["the header on a 429", 429, { ...HTML, "cf-mitigated": "challenge" }],
    ["the header in capitals", 403, { "CONTENT-TYPE": "TEXT/HTML", "CF-MITIGATED": "Challenge" }],
    ["the header without a content type", 403, { "cf-mitigated": "challenge" }],
    ["the header beside another content type", 403, { ...JSON_TYPE, "cf-mitigated": "challenge" }],
    ["an HTML page with status 403", 403, HTML],
    ["an HTML page in capitals with status 403", 403, { "Content-Type": "TEXT/HTML" }],
    ["an XHTML page with status 403", 403, { "content-type": "application/xhtml+xml" }],
  ])("is known by status and headers: %s", (_, status, headers) => {
    expect(edgeErrorOf(status, new Headers(headers as Record<string, string>))).toBe("upstream_challenged");
    expect(errorsOf(status, headers as Record<string, string>, "")).toEqual(["upstream_challenged"]);
  });

  it.each([
    ["a page of the time before the header", 503, HTML, CHALLENGE],
    [
      "a page in another language",
      503,
      HTML,
      "<title>Nur einen Moment…</title><script>window._cf_chl_opt={}</script>",
    ],
    ["a page with a rate limit's status", 429, HTML, CHALLENGE],
    ["a block page", 429, HTML, "<title>Attention Required! | Cloudflare</title>"],
    ["a page without a content type", 503, {}, CHALLENGE],
    ["a page beyond ASCII", 503, HTML, `<p>é🗼</p>${CHALLENGE}`],
    ["a firewall's denial as text", 403, { "content-type": "text/plain; charset=UTF-8" }, "error code: 1020"],
    ["a browser signature's denial as text", 403, { "content-type": "text/plain" }, "error code: 1010\n"],
    ["a rate limit as text", 429, { "content-type": "text/plain" }, "error code: 1015"],
    [
      "a denial as JSON",
      403,
      { "content-type": "application/problem+json" },
      '{"type":"https://developers.cloudflare.com/","status":403,"error_code":1009,"cloudflare_error":true}',
    ],
  ])("is known by its body: %s", (_, status, headers, body) => {
    expect(errorsOf(status, headers as Record<string, string>, body)).toEqual(["upstream_challenged"]);
  });

  it("is searched for in the first 16 KiB only", () => {
    expect(errorsOf(503, HTML, " ".repeat(16_000) + CHALLENGE)).toEqual(["upstream_challenged"]);
    expect(errorsOf(503, HTML, " ".repeat(16_384) + CHALLENGE)).toEqual(["upstream_html"]);
  });
});

describe("an error of the provider itself", () => {
  it.each([
    ["a 403", 403, JSON_TYPE],
    [
      "a 403 behind Cloudflare",
      403,
      { ...JSON_TYPE, server: "cloudflare", "cf-ray": "8a1b2c3d4e5f6071-FRA" },
    ],
    ["a 503", 503, JSON_TYPE],
    ["a 529", 529, JSON_TYPE],
    ["a 403 with another mitigation", 403, { ...JSON_TYPE, "cf-mitigated": "" }],
  ])("is not called a challenge: %s", (_, status, headers) => {
    const body = '{"error":{"type":"permission_error","message":"<title>Just a moment...</title>"}}';
    const reported = "permission_error";
    expect(edgeErrorOf(status, new Headers(headers as Record<string, string>))).toBeNull();
    expect(errorsOf(status, headers as Record<string, string>, body, { reported, kind: "json" })).toEqual([
      reported,
    ]);
  });

  it.each([
    ["JSON without a type", JSON_TYPE, '{"detail":"Not allowed"}', "json"],
    ["text", { "content-type": "text/plain" }, "Forbidden", "opaque"],
    ["text that is about another error", { "content-type": "text/plain" }, "error code: 1000", "opaque"],
    ["no body", {}, "", "opaque"],
  ] as const)("has no name where it reports none: %s", (_, headers, body, kind) => {
    expect(errorsOf(403, headers as Record<string, string>, body, { kind })).toEqual([null]);
  });

  it("keeps its type with a status of Cloudflare's", () => {
    expect(errorsOf(524, JSON_TYPE, "{}", { reported: "upstream_timeout_error", kind: "json" })).toEqual([
      "upstream_timeout_error",
    ]);
  });
});

describe("a status of Cloudflare's edge", () => {
  it.each([520, 521, 522, 523, 524, 525, 526, 530])("%i is named, regardless of the body", (status) => {
    const named = `edge_${status}`;
    expect(Object.keys(EDGE_ERRORS)).toContain(named);
    for (const headers of [HTML, JSON_TYPE, { "content-type": "text/plain" }, {}]) {
      expect(edgeErrorOf(status, new Headers(headers as Record<string, string>))).toBe(named);
      expect(errorsOf(status, headers as Record<string, string>, "error code: 1020")).toEqual([named]);
    }
  });

  it.each([500, 502, 503, 504, 519, 527, 528, 529, 531, 599])("%i is not named", (status) => {
    expect(errorsOf(status, { "content-type": "text/plain" }, "x")).toEqual([null]);
  });
});

describe("an HTML page", () => {
  it.each([400, 401, 404, 429, 500, 502, 503, 504])(
    "with status %i is called one, not a challenge",
    (status) => {
      const page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
      expect(errorsOf(status, HTML, page)).toEqual(["upstream_html"]);
      expect(edgeErrorOf(status, new Headers(HTML))).toBe("upstream_html");
    },
  );

  it("with a status of success is one too, and no challenge: only its type is read", () => {
    expect(errorsOf(200, HTML, CHALLENGE)).toEqual(["upstream_html"]);
    expect(errorsOf(200, { "content-type": "application/octet-stream" }, CHALLENGE)).toEqual([null]);
    // A passthrough may return a file that is an HTML page.
    expect(edgeErrorOf(200, new Headers(HTML))).toBeNull();
  });
});
