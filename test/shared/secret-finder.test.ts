import { describe, expect, it, vi } from "vitest";
import { createSecretFinder, watchForSecrets, type SecretFinder } from "../../src/shared/secret-finder.ts";
import { between, forSeeds, seededRandom } from "../support/rechunk.ts";

const OPENAI = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56";
const AZURE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SLASHED = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const JWT = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJncm91cCJ9.c2lnbmF0dXJlLW9mLXRoZS1rZXk";
const SHORT = "hunter42";

const finderOf = (secrets: Readonly<Record<string, string>>): SecretFinder => {
  const finder = createSecretFinder(Object.entries(secrets).map(([name, value]) => ({ name, value })));
  if (finder === null) throw new Error("there are secrets");
  return finder;
};
const finder = finderOf({ OPENAI, AZURE, SLASHED, JWT, SHORT });

const escaped = (text: string): string =>
  [...text].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
const utf16 = (text: string): string => [...text].map((one) => `${one}\0`).join("");

describe("Finding H3: a configured secret", () => {
  it.each([
    ["as it is", (key: string) => key],
    ["within prose", (key: string) => `Incorrect API key provided: ${key}. See`],
    ["by its first 16 characters", (key: string) => `${key.slice(0, 16)}****`],
    ["by its last 16 characters", (key: string) => `****${key.slice(-16)}`],
    ["by 16 characters of its middle", (key: string) => `**${key.slice(7, 23)}**`],
    ["in escapes of JSON", (key: string) => `{"error":"${escaped(key)}"}`],
    [
      "with one escape in each eight characters",
      (key: string) => key.replace(/(.{4})(.)/g, (_, a: string, b: string) => a + escaped(b)),
    ],
    ["in capital escapes", (key: string) => escaped(key).replace(/[a-f\d]{4}/g, (hex) => hex.toUpperCase())],
    [
      "in escapes within escaped JSON",
      (key: string) => JSON.stringify(JSON.stringify({ a: "x" }) + escaped(key)),
    ],
    ["in UTF-16, little endian", utf16],
    ["in UTF-16, big endian", (key: string) => `\0${utf16(key).slice(0, -1)}`],
    ["in UTF-32", (key: string) => [...key].map((one) => `\0\0\0${one}`).join("")],
    ["in escapes in UTF-16", (key: string) => utf16(escaped(key))],
    ["with its slashes escaped", (key: string) => key.replaceAll("/", "\\/")],
  ])("is found %s", (_, write) => {
    for (const [name, key] of Object.entries({ OPENAI, AZURE, SLASHED })) {
      expect([name, finder.find(write(key))]).toEqual([name, name]);
      expect(finder.redact(`before ${write(key)} after`)).not.toContain(key.slice(4, 14));
    }
  });

  it("is found at every offset of a text, by every run of 16 characters", () => {
    for (let offset = 0; offset < 20; offset += 1)
      for (let at = 0; at + 16 <= OPENAI.length; at += 1)
        expect(finder.find(`${".".repeat(offset)}${OPENAI.slice(at, at + 16)}.`)).toBe("OPENAI");
  });

  it.each([
    ["15 characters of it", OPENAI.slice(8, 23)],
    ["its public prefix", "keys begin with sk-proj-"],
    ["another key", "sk-proj-Zz99Yy88Xx77Ww66Vv55Uu44Tt33Ss22"],
    ["a JWT with the same header", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvdGhlciJ9.AAAA"],
    ["a long run of one character", "A".repeat(400)],
    ["a short secret in ordinary text", "the password of the film is hunter42"],
  ])("is not found in %s", (_, text) => {
    expect(finder.find(text)).toBeNull();
  });

  it("is found by the signature of a JWT", () => {
    expect(finder.find(`token …${JWT.slice(-20)}`)).toBe("JWT");
    expect(finder.find(JWT)).toBe("JWT");
  });

  it.each(["EJr//////////wEaCXVzLWVhc3QtMSJIMEYCIQ", "EEwaCXVzLWVhc3QtMSJHMEUCIH"])(
    "that is a session token of AWS is not found in another one of its region: %s",
    (region) => {
      const tokenOf = (own: string): string => `IQoJb3JpZ2luX2Vj${region}${own.repeat(40)}`;
      const session = finderOf({ SESSION: tokenOf("Own7Part") });
      const url = `https://b.s3.amazonaws.com/k?X-Amz-Security-Token=${tokenOf("x9Other+")}`;
      expect([session.find(url), session.find(encodeURI(url))]).toEqual([null, null]);
      expect(session.find(tokenOf("Own7Part"))).toBe("SESSION");
      expect(session.find(tokenOf("Own7Part").slice(-20))).toBe("SESSION");
    },
  );

  it.each(["us-east-1", "ap-southeast-1"])(
    "that is a short-term key for Bedrock is not found in another one of its day in %s",
    (region) => {
      const keyOf = (id: string, own: string): string => {
        const scope = `ASIA${id.padEnd(16, "0")}%2F20261201%2F${region}%2Fbedrock%2Faws4_request`;
        const query = `Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${scope}`;
        const signed = "X-Amz-Date=20261201T000000Z&X-Amz-Expires=43200&X-Amz-SignedHeaders=host";
        const token = `X-Amz-Security-Token=IQoJb3JpZ2luX2VjEJr%2F%2F%2F%2F%2F%2F%2F%2F%2F%2FwEaCXVz${own.repeat(80)}`;
        return `bedrock-api-key-${btoa(`bedrock.amazonaws.com/?${query}&${signed}&${token}&Version=1`)}`;
      };
      const key = keyOf("OWN", "Own7Part");
      const found = finderOf({ BEDROCK: key });
      expect(found.find(`such keys begin with bedrock-api-key-${btoa("bedrock.amazonaws.com/")}`)).toBeNull();
      expect(found.find(keyOf("ELSE", "x9Other+"))).toBeNull();
      expect([found.find(key), found.find(key.slice(-600))]).toEqual(["BEDROCK", "BEDROCK"]);
    },
  );

  it("that is short is found beside an error, and wherever short ones are wanted", () => {
    expect(finder.find('{"error":{"message":"bad key hunter42"}}')).toBe("SHORT");
    expect(finder.findAny("x-debug hunter42")).toBe("SHORT");
    expect(finder.redact("it is hunter42")).toBe("it is [redacted:configured]");
  });

  it("that is a word is redacted in content and not in the words of a record", () => {
    const { redact, redactField } = finderOf({ LOCAL: "completed" });
    expect([redact("completed"), redactField("completed")]).toEqual(["[redacted:configured]", "completed"]);
  });

  it("is redacted wherever it stands, and the rest stays", () => {
    expect(finder.redact(`a ${AZURE} b ${AZURE}${OPENAI} c`)).toBe(
      "a [redacted:configured] b [redacted:configured][redacted:configured] c",
    );
    const text = "no secret \\u0041 here";
    expect(finder.redact(text)).toBe(text);
  });

  it("does not exist without a value to find", () => {
    expect(createSecretFinder([])).toBeNull();
    expect(createSecretFinder([{ name: "A", value: "abc" }])).toBeNull();
  });
});

describe("a watched text", () => {
  // The attack: a key that is cut between two chunks, wherever and however often.
  it("finds a secret however the text is cut", () => {
    forSeeds(300, (seed) => {
      const random = seededRandom(seed);
      const filler = "lorem ipsum ".repeat(between(random, 0, 30));
      const key = between(random, 0, 1) === 0 ? OPENAI : escaped(OPENAI);
      const text = `${filler}${key}${filler}`;
      const watch = watchForSecrets(finder);
      let calls = 0;
      watch.onFound = () => (calls += 1);
      for (let at = 0; at < text.length;) {
        const size = between(random, 1, 40);
        watch.push(text.slice(at, at + size));
        at += size;
      }
      expect([watch.found(), calls]).toEqual(["OPENAI", 1]);
    });
  });
});

describe("the cost of the search", () => {
  // The attack: a text made to be slow. The search reads each place a bounded number of times: it counts substrings.
  it.each(["a", "sk-proj-", OPENAI.slice(0, 15), AZURE.slice(0, 15), "\\u00", "\\/", "\0"])(
    "grows with the text's length for repetitions of %j",
    (unit) => {
      const cost = (length: number): number => {
        const text = unit.repeat(Math.ceil(length / unit.length));
        const reads = vi.spyOn(String.prototype, "charCodeAt");
        finder.find(text);
        const { length: count } = reads.mock.calls;
        reads.mockRestore();
        return count;
      };
      const [small, large] = [cost(10_000), cost(80_000)];
      expect(large).toBeLessThanOrEqual(9 * small + 1000);
    },
  );
});
