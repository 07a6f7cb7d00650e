/** Random outages of a chain of providers with circuit breakers, against a simple model of the chain. */
import { describe, expect, it } from "vitest";
import {
  BODY,
  brokenStream,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  post,
} from "../../support/in-workerd/calls.ts";
import { openGateway, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";

const NAMES = ["main", "backup", "third"] as const;
const BREAKER = { failures: 2, interval_ms: 20_000, open_ms: 5000, trials: 2 };
const PATH = "/main/v1/chat/completions";

/** The state of a provider: the status of each call; no connection, no headers in time, or a body that breaks off. */
type Health = 200 | 400 | 429 | 500 | 503 | "lost" | "silent" | "broken";
const FAULTS: readonly Health[] = [400, 429, 500, 500, 503, "lost", "silent", "broken"];
/** Nothing follows these: the client has bytes, or the error is its own. */
const isPassedOn = (health: Health): boolean => health === 200 || health === 400 || health === "broken";

/** The end of an attempt, as it counts for a circuit. */
const meaningOf = (health: Health): "success" | "neutral" | "failure" => {
  if (isPassedOn(health)) return "success";
  return health === 429 ? "neutral" : "failure";
};

/** A circuit whose calls do not overlap. */
class Circuit {
  #failures: number[] = [];
  #openUntil: number | null = null;
  #successes = 0;

  permits(now: number): boolean {
    return this.#openUntil === null || now >= this.#openUntil;
  }

  ended(health: Health, now: number): void {
    const meaning = meaningOf(health);
    if (meaning === "neutral") return;
    const isTrial = this.#openUntil !== null;
    if (meaning === "success") {
      this.#failures = [];
      this.#successes += isTrial ? 1 : 0;
      if (this.#successes >= BREAKER.trials) this.#close();
      return;
    }
    const [first = now] = this.#failures;
    this.#failures = now - first > BREAKER.interval_ms ? [now] : [...this.#failures, now];
    if (isTrial || this.#failures.length >= BREAKER.failures) this.#open(now);
  }

  #open(now: number): void {
    this.#close();
    this.#openUntil = now + BREAKER.open_ms;
  }

  #close(): void {
    this.#failures = [];
    this.#successes = 0;
    this.#openUntil = null;
  }
}

const openChain = (healthOf: (name: string) => Health): Promise<Gateway> =>
  openGateway({
    provider: ({ url, signal }) => {
      const health = healthOf(new URL(url).hostname.split(".")[0] ?? "");
      if (health === "lost") throw new TypeError("Network connection lost.");
      if (health === "silent")
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
        });
      if (health === "broken") return brokenStream();
      return health === 200 ? chatResponse() : json('{"error":{"message":"no"}}', { status: health });
    },
    vars: {
      PROVIDERS: Object.fromEntries(
        NAMES.map((name, at) => [
          name,
          {
            type: "openai",
            base_url: `https://${name}.example/v1`,
            keys: [`KEY_${at}`],
            breaker: BREAKER,
            headers_ms: 5,
            ...(at === 0 && { fallbacks: NAMES.slice(1) }),
          },
        ]),
      ),
      ...Object.fromEntries(NAMES.map((name, at) => [`KEY_${at}`, `sk-${name}-0123456789abcdef`])),
    },
  });

const hostsOf = (gateway: Gateway, from: number): string[] =>
  gateway.sent.slice(from).map(({ url }) => new URL(url).hostname.split(".")[0] ?? "");

describe("a chain of providers with outages", () => {
  it("gets each request to the first provider that works and is not paused, once, and no further", async () => {
    await forSeedsAsync(40, async (seed) => {
      const random = seededRandom(seed);
      const health = new Map<string, Health>(NAMES.map((name) => [name, 200]));
      const circuits = new Map(NAMES.map((name) => [name, new Circuit()]));
      const gateway = await openChain((name) => health.get(name) ?? 200);
      for (let at = 0; at < 40; at += 1) {
        gateway.clock.at += between(random, 0, 3000);
        const changed = NAMES[between(random, 0, NAMES.length - 1)] ?? "main";
        if (random() < 0.3)
          health.set(changed, random() < 0.5 ? 200 : (FAULTS[between(random, 0, FAULTS.length - 1)] ?? 500));
        const expected: string[] = [];
        let status: Health | "paused" = "paused";
        for (const name of NAMES) {
          const circuit = circuits.get(name) ?? new Circuit();
          if (!circuit.permits(gateway.clock.at)) continue;
          expected.push(name);
          const own = health.get(name) ?? 200;
          circuit.ended(own, gateway.clock.at);
          status = own;
          if (isPassedOn(own)) break;
        }
        const before = gateway.sent.length;
        const { response, events } = await gateway.exchange(PATH, post(BODY, CLIENT_KEY));
        expect(hostsOf(gateway, before), `request ${at}`).toEqual(expected);
        expect(response.status < 429, `request ${at}`).toBe(status !== "paused" && isPassedOn(status));
        expect(only(events, "interception_end").status).toBe(response.status);
      }
    });
  });

  it("sends only the trials to a provider that has recovered, however many requests are waiting", async () => {
    let isDown = true;
    const held: (() => void)[] = [];
    const gateway = await openGateway({
      provider: async ({ url }) => {
        if (!url.startsWith("https://main.")) return chatResponse();
        if (isDown) return json("{}", { status: 503 });
        await new Promise<void>((resolve) => held.push(resolve));
        return chatResponse();
      },
      vars: {
        PROVIDERS: {
          main: {
            type: "openai",
            base_url: "https://main.example/v1",
            keys: ["A"],
            breaker: BREAKER,
            fallbacks: ["backup"],
          },
          backup: { type: "openai", base_url: "https://backup.example/v1", keys: ["B"] },
        },
        A: "sk-main-0123456789abcdef",
        B: "sk-backup-0123456789abcdef",
      },
    });
    for (let at = 0; at < 2; at += 1) await gateway.exchange(PATH, post(BODY, CLIENT_KEY));
    isDown = false;
    gateway.clock.at += BREAKER.open_ms;
    const before = gateway.sent.length;
    const calls = Array.from({ length: 30 }, () => gateway.call(PATH, post(BODY, CLIENT_KEY)));
    while (gateway.sent.length - before < 30) await new Promise((next) => setTimeout(next));
    expect(hostsOf(gateway, before).filter((name) => name === "main")).toHaveLength(BREAKER.trials);
    for (const release of held) release();
    for (const call of calls) {
      const { response, settled } = await call;
      await response.arrayBuffer();
      await settled();
      expect(response.status).toBe(200);
    }
  });
});
