import { describe, expect, it } from "vitest";
import { createInterruptible } from "../../src/shared/interruptible.ts";

const STOPPED = Symbol("stopped");
const LATER = Symbol("later");

describe("work that can be interrupted", () => {
  it("returns each operation's result, or rejects as the operation does", async () => {
    const work = createInterruptible<typeof STOPPED>();
    expect(await work.wait(Promise.resolve(1))).toBe(1);
    await expect(work.wait(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await work.wait(Promise.resolve(2))).toBe(2);
  });

  it("ends the current wait and every later one with the first reason", async () => {
    const work = createInterruptible<typeof STOPPED | typeof LATER>();
    const pending = work.wait(new Promise<never>(() => undefined));
    work.interrupt(STOPPED);
    work.interrupt(LATER);
    expect(await pending).toBe(STOPPED);
    expect(await work.wait(new Promise<never>(() => undefined))).toBe(STOPPED);
  });

  it("leaves no rejection unhandled where an interrupted operation fails later", async () => {
    const work = createInterruptible<typeof STOPPED>();
    const { promise, reject } = Promise.withResolvers<never>();
    const pending = work.wait(promise);
    work.interrupt(STOPPED);
    reject(new Error("late"));
    expect(await pending).toBe(STOPPED);
    await expect(promise).rejects.toThrow("late");
  });
});
