import { describe, expect, it } from "vitest";
import { openUpload, type UploadOptions } from "../../../src/gateway/upstream/upload.ts";
import { manualClock, type ManualClock } from "../../support/in-workerd/manual-clock.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { join } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const PIECE = 64 * 1024;
const BYTES = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 167) % 256);
const piece = (value: number): Uint8Array => new Uint8Array(PIECE).fill(value);

function optionsOf(length: number): UploadOptions & { readonly clock: ManualClock } {
  const clock = manualClock(1_000_000);
  const pace = { graceMs: 30_000, minRate: 16_384 };
  return { length, pace, acceptMs: 600_000, now: clock.now, after: clock.after, clock };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("an upload to the provider", () => {
  it("F1 delivers the client's bytes, for any chunk sizes", async () => {
    const pieces = [BYTES.subarray(0, 1), BYTES.subarray(1, 70_000), BYTES.subarray(70_000)];
    const { body, sent, failure } = openUpload(wholeBody(...pieces), optionsOf(BYTES.length));
    expect(await drain(body)).toEqual({ bytes: BYTES, broken: false });
    expect([await sent, failure()]).toEqual([true, null]);
  });

  it("delivers each piece before the body has ended", async () => {
    const client = upstreamBody();
    const { body } = openUpload(client.stream, optionsOf(PIECE + 3));
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    client.send(piece(1));
    const parts: Uint8Array[] = [];
    while (parts.reduce((sum, part) => sum + part.length, 0) < PIECE) {
      const { value } = await within(reader.read(), "the first piece");
      if (value) parts.push(value);
    }
    expect(join(parts)).toEqual(piece(1));
    client.send("abc");
    client.end();
    expect((await reader.read()).value).toEqual(new TextEncoder().encode("abc"));
    expect((await reader.read()).done).toBe(true);
  });

  it("F10 breaks off for the provider if the client's side breaks, and blames the client", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, optionsOf(3 * PIECE));
    const provider = drain(upload.body);
    client.send(piece(1));
    await until(client.isConsumed, "the bytes to be read");
    await turn();
    client.fail();
    expect(await within(provider, "the break")).toEqual({ bytes: piece(1), broken: true });
    expect(upload.failure()?.code).toBe("body_incomplete");
    expect(await upload.sent).toBe(false);
  });

  it("does not blame a client that is still sending when the provider cancels", async () => {
    const client = upstreamBody();
    const upload = openUpload(client.stream, optionsOf(3 * PIECE));
    const reader = upload.body.getReader();
    client.send(piece(1));
    await reader.read();
    await reader.cancel();
    client.send(piece(2));
    expect(await within(upload.sent, "the end of the upload")).toBe(false);
    expect(upload.failure()).toBeNull();
  });

  it("does not blame a client that is waiting when the provider has gone, and reads it no longer", async () => {
    const client = upstreamBody();
    const options = optionsOf(3 * PIECE);
    const upload = openUpload(client.stream, options);
    await upload.body.cancel();
    expect(upload.failure()).toBeNull();
    upload.cancel();
    expect(await within(upload.sent, "the end of the upload")).toBe(false);
    expect([upload.failure(), options.clock.timers()]).toEqual([null, 0]);
  });

  it("is complete when the provider has the last byte", async () => {
    const client = upstreamBody();
    const options = optionsOf(PIECE + 6);
    const upload = openUpload(client.stream, options);
    let isComplete = false;
    void upload.sent.then(() => (isComplete = true));
    const provider = drain(upload.body);
    client.send(piece(1));
    await until(client.isConsumed, "the bytes to be read");
    await turn();
    expect(isComplete).toBe(false);
    client.send("abcdef");
    client.end();
    expect((await provider).bytes.length).toBe(PIECE + 6);
    expect([await upload.sent, options.clock.timers()]).toEqual([true, 0]);
  });
});

describe("the deadlines of an upload", () => {
  // The attack: an upload that announces 30 MiB, sends 29 at once and stops. It must not stay open for minutes.
  it("F12 breaks off for the provider, and blames a client that is silent for 30 s", async () => {
    const client = upstreamBody();
    const options = optionsOf(10 * PIECE);
    const upload = openUpload(client.stream, options);
    const provider = drain(upload.body);
    client.send(piece(1));
    await until(client.isConsumed, "the bytes to be read");
    await turn();
    options.clock.advance(60_000);
    expect(await within(provider, "the break")).toEqual({ bytes: piece(1), broken: true });
    expect(upload.failure()).toMatchObject({
      code: "body_timeout",
      data: { detail: `after ${PIECE} bytes` },
    });
    expect([await upload.sent, options.clock.timers()]).toEqual([false, 0]);
  });

  it("F12 let a client that keeps the minimum rate take as long as it needs", async () => {
    const client = upstreamBody();
    const options = optionsOf(40 * PIECE);
    const upload = openUpload(client.stream, options);
    const provider = drain(upload.body);
    for (let at = 0; at < 40; at += 1) {
      options.clock.advance(4000);
      client.send(piece(at));
      await until(client.isConsumed, "the bytes to be read");
      await turn();
    }
    expect((await within(provider, "the body")).bytes.length).toBe(40 * PIECE);
    expect(await upload.sent).toBe(true);
  });

  it("F12 do not count the time of a provider that accepts nothing against the client", async () => {
    const client = upstreamBody();
    const options = optionsOf(2 * PIECE);
    const upload = openUpload(client.stream, options);
    client.send(piece(1));
    await until(client.isConsumed, "the bytes to be read");
    await turn();
    options.clock.advance(599_000);
    await turn();
    expect(upload.failure()).toBeNull();
    const provider = drain(upload.body);
    await until(() => options.clock.timers() === 1, "the piece to be accepted");
    options.clock.advance(29_000);
    client.send(piece(2));
    client.end();
    expect((await within(provider, "the body")).broken).toBe(false);
    expect([await upload.sent, upload.failure()]).toEqual([true, null]);
  });

  it("blame a provider that accepts nothing for the time it has", async () => {
    const client = upstreamBody();
    const options = optionsOf(2 * PIECE);
    const upload = openUpload(client.stream, options);
    client.send(piece(1));
    await until(client.isConsumed, "the bytes to be read");
    await turn();
    options.clock.advance(600_000);
    expect(await within(upload.sent, "the end of the upload")).toBe(false);
    expect(upload.failure()?.code).toBe("upstream_timeout");
  });
});
