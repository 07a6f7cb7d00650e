import { describe, expect, it } from "vitest";
import { openUpload } from "../../../src/gateway/upstream/upload.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { join, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const BYTES = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 167) % 256);

describe("an upload to the provider", () => {
  it("F1 delivers the client's bytes, for any chunk sizes", async () => {
    const pieces = [BYTES.subarray(0, 1), BYTES.subarray(1, 70_000), BYTES.subarray(70_000)];
    const { body } = openUpload(wholeBody(...pieces), BYTES.length);
    expect(await drain(body)).toEqual({ bytes: BYTES, broken: false });
  });

  it("delivers each chunk before the body has ended", async () => {
    const client = upstreamBody();
    const { body } = openUpload(client.stream, 6);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    client.send("abc");
    expect((await reader.read()).value).toEqual(utf8("abc"));
    client.send("def");
    expect((await reader.read()).value).toEqual(utf8("def"));
    client.end();
    expect((await reader.read()).done).toBe(true);
  });

  it("F10 breaks off for the provider if the client's side breaks, and blames the client", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    const provider = drain(upload.body);
    client.send("abc");
    await until(client.isConsumed, "the bytes to be read");
    client.fail();
    expect(await within(provider, "the break")).toEqual({ bytes: utf8("abc"), broken: true });
    expect(await within(upload.brokenByClient(), "the side that broke")).toBe(true);
  });

  it("does not blame a client that is still sending when the provider cancels", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    const reader = upload.body.getReader();
    client.send("abc");
    await reader.read();
    await reader.cancel();
    client.send("def");
    expect(await within(upload.brokenByClient(), "the side that broke")).toBe(false);
  });

  it("does not blame a client that is waiting when the provider has gone", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    await upload.body.cancel();
    expect(await within(upload.brokenByClient(), "the side that broke")).toBe(false);
  });

  it("does not blame a client that has sent the complete body", async () => {
    const upload = openUpload(wholeBody("abc", "def"), 6);
    expect((await drain(upload.body)).bytes).toEqual(join([utf8("abc"), utf8("def")]));
    expect(await within(upload.brokenByClient(), "the side that broke")).toBe(false);
  });
});
