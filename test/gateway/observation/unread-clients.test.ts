import { describe, expect, it } from "vitest";
import { createUnreadClients } from "../../../src/gateway/observation/unread-clients.ts";

function setup(max: number) {
  const clock = { at: 0 };
  const watch = createUnreadClients(max);
  return { clock, client: () => watch(() => clock.at) };
}

// The attack: forty clients request large responses and read nothing; each held 4 to 7 MB, without a bound on how many.
describe("Finding N6: the bound on clients that do not read", () => {
  it("disconnects the latest client past the bound, and no earlier one", () => {
    const { client } = setup(2);
    const [first, second, third] = [client(), client(), client()];
    expect([first, second, third].map((one) => one.isOneTooMany())).toEqual([false, false, true]);
    expect([first, second, third].map((one) => one.isOneTooMany())).toEqual([false, false, true]);
  });

  it("has room again once a client reads or its response has ended", () => {
    const { client } = setup(1);
    const [first, second] = [client(), client()];
    expect([first.isOneTooMany(), second.isOneTooMany()]).toEqual([false, true]);
    first.clear();
    expect([second.isOneTooMany(), first.isOneTooMany()]).toEqual([false, true]);
  });

  // The platform ends such a request without running its `finally`: otherwise the bound would fill up once and for all.
  it("forgets a client that is not reported any more", () => {
    const { clock, client } = setup(1);
    const [ended, next] = [client(), client()];
    expect(ended.isOneTooMany()).toBe(false);
    clock.at = 30_000;
    expect(next.isOneTooMany()).toBe(true);
    clock.at = 30_001;
    expect(next.isOneTooMany()).toBe(false);
  });

  it("keeps a client that is reported at every look", () => {
    const { clock, client } = setup(1);
    const [slow, other] = [client(), client()];
    for (clock.at = 0; clock.at < 600_000; clock.at += 5000) expect(slow.isOneTooMany()).toBe(false);
    expect(other.isOneTooMany()).toBe(true);
  });
});
