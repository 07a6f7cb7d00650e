import { describe, expect, it } from "vitest";
import { fetchText, type TextRequest } from "../../src/shared/http/fetch-text.ts";

const REQUEST: TextRequest = {
  url: "https://api.example/CANARY",
  headers: { authorization: "Bearer CANARY" },
  timeoutMs: 60_000,
  maxBytes: 10,
};

type Fetcher = typeof fetch;
const respond =
  (body: BodyInit | null, init: ResponseInit = {}): Fetcher =>
  async () =>
    new Response(body, init);

const whenAborted = (init: RequestInit | undefined, call: (reason: unknown) => void): void => {
  const signal = init?.signal as AbortSignal;
  signal.addEventListener("abort", () => call(signal.reason));
};

/** No headers until it is aborted. */
const withoutHeaders: Fetcher = (_, init) => new Promise((_resolve, reject) => whenAborted(init, reject));

/** Headers, and no body until it is aborted. */
const withoutBody: Fetcher = async (_, init) =>
  new Response(
    new ReadableStream({ start: (controller) => whenAborted(init, (reason) => controller.error(reason)) }),
  );

const failWith =
  (reason: unknown): Fetcher =>
  () =>
    Promise.reject(reason);

describe("fetchText", () => {
  it("returns the text of a 200, up to exactly the bound", async () => {
    expect(await fetchText(respond("0123456789"), REQUEST)).toEqual({ status: 200, text: "0123456789" });
    expect(await fetchText(respond(null), REQUEST)).toEqual({ status: 200, text: "" });
  });

  it("fails for a longer text", async () => {
    expect(await fetchText(respond("0123456789x"), REQUEST)).toEqual({
      failure: "a response of more than 10 bytes",
    });
  });

  it("returns the text of a 404", async () => {
    const response = new Response("no such", { status: 404 });
    expect(await fetchText(async () => response, REQUEST)).toEqual({ status: 404, text: "no such" });
  });

  it.each([400, 401, 500])("returns the text of a %i where errors are read", async (status) => {
    const request = { ...REQUEST, readsErrors: true };
    expect(await fetchText(respond("why", { status }), request)).toEqual({ status, text: "why" });
  });

  it("posts a form, and lets no cache respond to another request", async () => {
    const sent: unknown[] = [];
    const fetcher: Fetcher = async (_, init) => {
      sent.push([init?.method ?? "GET", init?.cache ?? null, String(init?.body ?? "")]);
      return new Response("ok");
    };
    await fetchText(fetcher, { ...REQUEST, form: { a: "1 2" } });
    await fetchText(fetcher, REQUEST);
    expect(sent).toEqual([
      ["POST", null, "a=1+2"],
      ["GET", "no-store", ""],
    ]);
  });

  it.each([204, 301, 302, 401, 500])(
    "returns status %i without its text, and cancels the body",
    async (status) => {
      let isCancelled = false;
      const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
      const response = { status, body } as Response;
      expect(await fetchText(async () => response, REQUEST)).toEqual({ status, text: "" });
      expect(isCancelled).toBe(true);
    },
  );

  it("follows no redirect, uses no cache and sends the headers", async () => {
    const inits: RequestInit[] = [];
    const fetcher: Fetcher = async (_, init) => {
      inits.push(init ?? {});
      return new Response("");
    };
    await fetchText(fetcher, REQUEST);
    expect(inits).toMatchObject([{ redirect: "manual", cache: "no-store", headers: REQUEST.headers }]);
  });

  it("fails with the error's name only, because its message may quote the request", async () => {
    const error = new TypeError("connection to CANARY lost");
    expect(await fetchText(failWith(error), REQUEST)).toEqual({ failure: "TypeError" });
    expect(await fetchText(failWith("CANARY"), REQUEST)).toEqual({ failure: "unknown" });
  });

  it.each([
    ["the headers", withoutHeaders],
    ["the body", withoutBody],
  ])("fails at the deadline while it waits for %s", async (_, fetcher) => {
    expect(await fetchText(fetcher, { ...REQUEST, timeoutMs: 5 })).toEqual({
      failure: "no response within 5 ms",
    });
  });
});
