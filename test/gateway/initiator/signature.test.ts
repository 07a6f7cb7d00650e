import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import {
  isFresh,
  readSignatureHeader,
  createSignatureVerifier,
  type PresentedSignature,
} from "../../../src/gateway/initiator/signature.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { signed } from "../../support/in-workerd/signing.ts";
import { OWNER } from "../../support/in-workerd/values.ts";
import signingDocs from "../../../docs/signing.md?raw";

const SECRET = "a-signing-secret-of-32-characters";
const OTHER = "another-secret-of-32-characters!!";
const CHAT = "0a0a0a0a-0000-4000-8000-00000000000a";
const BODY = '{"model":"gpt-4o"}';

/** What is signed, in full. */
type Signed = {
  readonly timestamp: string;
  readonly method: string;
  readonly uri: string;
  readonly body: string;
  readonly owner: string;
  readonly chat: string;
  readonly subchat: string;
  readonly workspace: string;
};

const REQUEST: Signed = {
  timestamp: "1795000000",
  method: "POST",
  uri: "/openai/v1/responses?beta=true",
  body: BODY,
  owner: OWNER,
  chat: CHAT,
  subchat: "",
  workspace: "",
};

/** The request's signature, by the tests' own signer. */
async function sign(request: Signed, secret = SECRET): Promise<string> {
  const { timestamp, method, uri, body } = request;
  const ids = ["owner", "chat", "subchat", "workspace"] as const;
  const headers = Object.fromEntries(ids.map((name) => [`x-coder-${name}-id`, request[name]]));
  const all = await signed({ uri, method, body, at: Number(timestamp) * 1000, secret, headers });
  return all["x-coder-signature"];
}

function headersOf(request: Signed, signature: string): Headers {
  const headers = new Headers({
    "x-coder-signature": signature,
    "x-coder-signature-timestamp": request.timestamp,
  });
  for (const name of ["owner", "chat", "subchat", "workspace"] as const)
    if (request[name] !== "") headers.set(`x-coder-${name}-id`, request[name]);
  return headers;
}

/** Whether the request, as it arrives, bears the signature. */
async function isGood(arrived: Signed, signature: string, secrets: readonly string[] = [SECRET]) {
  const read = readSignatureHeader(headersOf(arrived, signature), arrived.method, arrived.uri);
  if (read.kind !== "presented") throw new Error(`the signature is ${read.kind}`);
  return createSignatureVerifier(secrets)(read, await sha256Hex(arrived.body));
}

describe("A22 Coder's signature, version 1", () => {
  it("is this one, by openssl's own account", async () => {
    // printf 'v1\n1795000000\nPOST\n…\nsubchat=\nworkspace=' | openssl dgst -sha256 -hmac <secret>
    expect(await sign(REQUEST)).toBe("v1=6a8ceb088a04b0407708d96630caedefd0b440787a918c30fca819378169ffff");
    expect(await isGood(REQUEST, "v1=6a8ceb088a04b0407708d96630caedefd0b440787a918c30fca819378169ffff")).toBe(
      true,
    );
  });

  it("is the one that docs/signing.md has a signer checked by", async () => {
    expect(signingDocs).toContain(`prints \`${(await sign(REQUEST)).slice(3)}\``);
    for (const part of [SECRET, REQUEST.timestamp, REQUEST.uri, BODY, OWNER, CHAT])
      expect(signingDocs).toContain(part);
  });

  it("is good by any of several secrets, in any place, and by no other", async () => {
    const signature = await sign(REQUEST);
    expect(await isGood(REQUEST, signature, [OTHER, SECRET])).toBe(true);
    expect(await isGood(REQUEST, signature, [SECRET, OTHER])).toBe(true);
    expect(await isGood(REQUEST, signature, [OTHER])).toBe(false);
    expect(await isGood(REQUEST, await sign(REQUEST, OTHER))).toBe(false);
    expect(await isGood(REQUEST, signature, [])).toBe(false);
  });

  it("the secret is its text: neither decoded from hexadecimal nor trimmed", async () => {
    const hex = "00112233445566778899aabbccddeeff".repeat(2);
    const signature = await sign(REQUEST, hex);
    expect(await isGood(REQUEST, signature, [hex])).toBe(true);
    expect(await isGood(REQUEST, signature, [hex.toUpperCase()])).toBe(false);
    expect(await isGood(REQUEST, signature, [`${hex} `])).toBe(false);
  });

  it("a MAC with any one digit changed is bad", async () => {
    const mac = (await sign(REQUEST)).slice(3);
    for (let at = 0; at < 64; at += 1) {
      const other = mac[at] === "0" ? "1" : "0";
      expect(await isGood(REQUEST, `v1=${mac.slice(0, at)}${other}${mac.slice(at + 1)}`)).toBe(false);
    }
  });
});

describe("A24 a signature holds for the request that was signed and for no other", () => {
  const CHANGES: readonly (readonly [string, Partial<Signed>])[] = [
    ["another body", { body: '{"model":"o9"}' }],
    ["no body", { body: "" }],
    ["a blank behind the body", { body: `${BODY} ` }],
    ["another method", { method: "PUT" }],
    ["another path", { uri: "/openai/v1/chat/completions?beta=true" }],
    ["another provider's", { uri: "/central/v1/responses?beta=true" }],
    ["the prefix before it", { uri: "/api/v2/ai-gateway/openai/v1/responses?beta=true" }],
    ["no query", { uri: "/openai/v1/responses" }],
    ["a longer query", { uri: "/openai/v1/responses?beta=true&x=1" }],
    ["an escape that says the same", { uri: "/openai/v1/responses?bet%61=true" }],
    ["another time", { timestamp: "1795000001" }],
    ["another owner", { owner: OWNER.replace(/1$/, "2") }],
    ["the owner in upper case", { owner: OWNER.toUpperCase() }],
    ["another chat", { chat: OWNER }],
    ["no chat", { chat: "" }],
    ["a subchat", { subchat: CHAT }],
    ["the chat as subchat", { chat: "", subchat: CHAT }],
    ["a workspace", { workspace: CHAT }],
    ["a malformed workspace", { workspace: "x" }],
  ];
  it.each(CHANGES)("%s", async (_, change) => {
    const signature = await sign(REQUEST);
    expect(await isGood({ ...REQUEST, ...change }, signature)).toBe(false);
    // It is the change that makes it bad: signed anew, it is good.
    expect(await isGood({ ...REQUEST, ...change }, await sign({ ...REQUEST, ...change }))).toBe(true);
  });

  it("a header given twice is not the one that was signed", async () => {
    const headers = headersOf(REQUEST, await sign(REQUEST));
    headers.append("x-coder-chat-id", CHAT);
    const read = readSignatureHeader(headers, REQUEST.method, REQUEST.uri) as PresentedSignature;
    expect(await createSignatureVerifier([SECRET])(read, await sha256Hex(BODY))).toBe(false);
  });

  it("blanks around what is signed are no part of it: HTTP may add and take them", async () => {
    const headers = headersOf(REQUEST, await sign(REQUEST));
    const padded = new Headers();
    for (const [name, value] of headers) padded.set(name, ` \t${value}\t `);
    expect(readSignatureHeader(padded, "POST", REQUEST.uri)).toEqual(
      readSignatureHeader(headers, "POST", REQUEST.uri),
    );
  });

  it("any two requests that differ have different signatures: 500 of them, each with one change", async () => {
    const fields = Object.keys(REQUEST) as (keyof Signed)[];
    await forSeedsAsync(500, async (seed) => {
      const random = seededRandom(seed);
      const text = (): string => Math.floor(random() * 1e9).toString(36);
      const one: Signed = {
        timestamp: String(1_795_000_000 + between(random, 0, 600)),
        method: random() < 0.5 ? "POST" : "DELETE",
        uri: `/openai/v1/${text()}?${text()}`,
        body: text(),
        owner: random() < 0.2 ? "" : text(),
        chat: random() < 0.5 ? "" : text(),
        subchat: random() < 0.5 ? "" : text(),
        workspace: random() < 0.5 ? "" : text(),
      };
      const field = fields[between(random, 0, fields.length - 1)] ?? "body";
      const changed = field === "timestamp" ? { timestamp: "1795009999" } : { [field]: `${one[field]}x` };
      const signature = await sign(one);
      expect([field, await isGood(one, signature), await isGood({ ...one, ...changed }, signature)]).toEqual([
        field,
        true,
        false,
      ]);
    });
  });
});

const MAC = "0123456789abcdef".repeat(4);
const sent = (signature: string | null, timestamp: string | null): string => {
  const headers = new Headers();
  if (signature !== null) headers.set("x-coder-signature", signature);
  if (timestamp !== null) headers.set("x-coder-signature-timestamp", timestamp);
  return readSignatureHeader(headers, "POST", "/").kind;
};

describe("the signature's headers", () => {
  it.each([
    [null, null],
    ["", null],
    [" ", "\t"],
  ])("%j and %j are none at all", (signature, timestamp) => {
    expect(sent(signature, timestamp)).toBe("absent");
  });

  it.each([
    [`v1=${MAC}`, "1795000000"],
    [` v1=${MAC} `, "\t1795000000"],
    [`v1=${MAC}`, "1"],
    [`v1=${MAC}`, "999999999999"],
  ])("%j and %j are well-formed", (signature, timestamp) => {
    expect(sent(signature, timestamp)).toBe("presented");
  });

  it.each([
    ["no timestamp", `v1=${MAC}`, null],
    ["an empty timestamp", `v1=${MAC}`, ""],
    ["no signature", null, "1795000000"],
    ["no version", MAC, "1795000000"],
    ["another version", `v2=${MAC}`, "1795000000"],
    ["the version in upper case", `V1=${MAC}`, "1795000000"],
    ["upper-case digits", `v1=${MAC.toUpperCase()}`, "1795000000"],
    ["a digit too few", `v1=${MAC.slice(1)}`, "1795000000"],
    ["a digit too many", `v1=${MAC}0`, "1795000000"],
    ["no digits", "v1=", "1795000000"],
    ["a digit of another script", `v1=${MAC.replace("0", "\u0660")}`, "1795000000"],
    ["two signatures in one header", `v1=${MAC}, v1=${MAC}`, "1795000000"],
    ["a line break behind it", `v1=${MAC}\u2028`, "1795000000"],
    ["two timestamps", `v1=${MAC}`, "1795000000, 1795000000"],
    ["milliseconds", `v1=${MAC}`, "1795000000000"],
    ["a sign", `v1=${MAC}`, "+1795000000"],
    ["a fraction", `v1=${MAC}`, "1795000000.0"],
    ["an exponent", `v1=${MAC}`, "1795e6"],
    ["hexadecimal", `v1=${MAC}`, "0x6afd3740"],
    ["a leading zero", `v1=${MAC}`, "01795000000"],
    ["zero", `v1=${MAC}`, "0"],
    ["a negative one", `v1=${MAC}`, "-1"],
    ["a date", `v1=${MAC}`, "2026-11-18T11:06:40Z"],
    ["100 KB", `v1=${"a".repeat(100_000)}`, "1".repeat(100_000)],
  ])("A22 %s: malformed", (_, signature, timestamp) => {
    expect(sent(signature, timestamp)).toBe("malformed");
  });

  it("A22 each given twice, the same value as well as another: malformed", () => {
    for (const name of ["x-coder-signature", "x-coder-signature-timestamp"]) {
      const headers = headersOf(REQUEST, `v1=${MAC}`);
      headers.append(name, headers.get(name) ?? "");
      expect(readSignatureHeader(headers, "POST", "/").kind).toBe("malformed");
    }
  });
});

const signedAt = (timestamp: string): PresentedSignature =>
  readSignatureHeader(headersOf({ ...REQUEST, timestamp }, `v1=${MAC}`), "POST", "/") as PresentedSignature;

describe("A22 the window", () => {
  const NOW = 1_795_000_000_000;
  it.each([
    [-301_000, false],
    [-300_001, false],
    [-300_000, true],
    [0, true],
    [300_000, true],
    [300_001, false],
    [301_000, false],
  ])("at %i ms from the timestamp it is fresh: %s", (offset, fresh) => {
    expect(isFresh(signedAt("1795000000"), NOW + offset)).toBe(fresh);
  });

  it("is closed at the ends of time", () => {
    expect(isFresh(signedAt("1"), NOW)).toBe(false);
    expect(isFresh(signedAt("999999999999"), NOW)).toBe(false);
  });
});
