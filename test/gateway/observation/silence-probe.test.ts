import { describe, expect, it } from "vitest";
import { probeSilence } from "../../../src/gateway/observation/silence-probe.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { turns, until } from "../../support/in-workerd/waiting.ts";

const BLOCK = new Uint8Array(64 * 1024);

describe("who causes a silence", () => {
  it("is the provider where every byte that it sent has reached the observer", async () => {
    const upstream = upstreamBody();
    const probe = probeSilence(upstream.stream);
    upstream.send("abc");
    probe.advance(3);
    probe.look();
    await turns();
    expect(probe.isCausedByClient()).toBe(false);
  });

  it("is the provider where it has sent nothing", async () => {
    const probe = probeSilence(upstreamBody().stream);
    probe.look();
    await turns();
    expect(probe.isCausedByClient()).toBe(false);
  });

  it("is the client where the provider's bytes have not reached the observer, until they do", async () => {
    const upstream = upstreamBody();
    const probe = probeSilence(upstream.stream);
    upstream.send("abc");
    probe.advance(1);
    probe.look();
    await until(probe.isCausedByClient, "the probe to read on");
    probe.advance(2);
    expect(probe.isCausedByClient()).toBe(false);
    probe.look();
    await turns();
    expect(probe.isCausedByClient()).toBe(false);
  });

  it("is the client where bytes that were sent before the probe began have not reached the observer", async () => {
    const upstream = upstreamBody();
    const probe = probeSilence(upstream.stream, -3);
    expect(probe.isCausedByClient()).toBe(true);
    probe.advance(2);
    expect(probe.isCausedByClient()).toBe(true);
    probe.advance(1);
    expect(probe.isCausedByClient()).toBe(false);
    probe.look();
    await turns();
    expect(probe.isCausedByClient()).toBe(false);
  });

  it("is the client where the provider's body has ended or broken off", async () => {
    for (const finish of ["end", "fail"] as const) {
      const upstream = upstreamBody();
      const probe = probeSilence(upstream.stream);
      upstream.send("abc");
      probe.advance(3);
      upstream[finish]();
      probe.look();
      await until(probe.isCausedByClient, "the probe to see the end");
      expect(probe.isCausedByClient()).toBe(true);
    }
  });

  it("keeps no copy of more than 64 KiB of observed bytes, and reads no further than the observer meanwhile", async () => {
    const upstream = upstreamBody();
    const probe = probeSilence(upstream.stream);
    for (let at = 0; at < 10; at += 1) {
      upstream.send(BLOCK);
      await turns();
      expect(upstream.isConsumed()).toBe(false);
      probe.advance(BLOCK.length);
      await until(upstream.isConsumed, "the copy to be read");
    }
    expect(probe.isCausedByClient()).toBe(false);
  });
});
