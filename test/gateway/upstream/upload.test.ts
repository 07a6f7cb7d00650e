import { describe, expect, it } from "vitest";
import { openUpload } from "../../../src/gateway/upstream/upload.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { join, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const BYTES = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 167) % 256);

describe("a body on its way to the provider", () => {
  it("F1 arrives as it came, whatever its pieces", async () => {
    const pieces = [BYTES.subarray(0, 1), BYTES.subarray(1, 70_000), BYTES.subarray(70_000)];
    const { body } = openUpload(wholeBody(...pieces), BYTES.length);
    expect(await drain(body)).toEqual({ bytes: BYTES, broken: false });
  });

  it("comes through as it is sent: the provider waits for no end", async () => {
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

  it("F10 that the client breaks off breaks off for the provider too, and the client is to blame", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    const provider = drain(upload.body);
    client.send("abc");
    await until(client.isTaken, "the bytes being taken");
    client.fail();
    expect(await within(provider, "the break")).toEqual({ bytes: utf8("abc"), broken: true });
    expect(await within(upload.brokenByClient(), "who is to blame")).toBe(true);
  });

  it("that the provider takes no more of is not the client's fault, though it is still sending", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    const reader = upload.body.getReader();
    client.send("abc");
    await reader.read();
    await reader.cancel();
    client.send("def");
    expect(await within(upload.brokenByClient(), "who is to blame")).toBe(false);
  });

  it("nor where the client waits, with the provider gone", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, 10);
    await upload.body.cancel();
    expect(await within(upload.brokenByClient(), "who is to blame")).toBe(false);
  });

  it("nor where it had all been sent", async () => {
    const upload = openUpload(wholeBody("abc", "def"), 6);
    expect((await drain(upload.body)).bytes).toEqual(join([utf8("abc"), utf8("def")]));
    expect(await within(upload.brokenByClient(), "who is to blame")).toBe(false);
  });
});
