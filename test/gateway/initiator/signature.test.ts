import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import {
  isFresh,
  readSignatureHeader,
  createSignatureVerifier,
  type CoderSignature,
  type PresentedSignature,
  type SignatureHeader,
} from "../../../src/gateway/initiator/signature.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { signed } from "../../support/in-workerd/signing.ts";
import { OWNER } from "../../support/in-workerd/values.ts";
import signingDocs from "../../../docs/signing.md?raw";

const SECRET = "a-signing-secret-of-32-characters";
const OTHER = "another-secret-of-32-characters!!";
const CHAT = "0a0a0a0a-0000-4000-8000-00000000000a";
const BODY = '{"model":"gpt-4o"}';

/** Everything that a signature covers. */
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

/** The request's signature, made by the tests' own signer. */
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

/** Parses the signature headers, with the id headers read as `owner-claim.ts` reads them. */
function read(headers: Headers, method: string, uri: string): SignatureHeader {
  const ids = {
    owner: headers.get("x-coder-owner-id"),
    chat: headers.get("x-coder-chat-id"),
    subchat: headers.get("x-coder-subchat-id"),
    workspace: headers.get("x-coder-workspace-id"),
  };
  return readSignatureHeader({ method, url: "https://gateway.test", uri, headers }, ids);
}

/** Whether the signature is valid for the request as received. */
async function isValid(received: Signed, signature: string, secrets: readonly string[] = [SECRET]) {
  const header = read(headersOf(received, signature), received.method, received.uri);
  if (header.kind !== "presented" || header.format !== "coder")
    throw new Error(`the signature is ${header.kind}`);
  return createSignatureVerifier(secrets)(header, await sha256Hex(received.body));
}

describe("A22 Coder's signature, version 1", () => {
  it("equals the MAC that openssl computes", async () => {
    // printf 'v1\n1795000000\nPOST\n…\nsubchat=\nworkspace=' | openssl dgst -sha256 -hmac <secret>
    expect(await sign(REQUEST)).toBe("v1=6a8ceb088a04b0407708d96630caedefd0b440787a918c30fca819378169ffff");
    expect(
      await isValid(REQUEST, "v1=6a8ceb088a04b0407708d96630caedefd0b440787a918c30fca819378169ffff"),
    ).toBe(true);
  });

  it("equals the example in docs/signing.md", async () => {
    expect(signingDocs).toContain(`prints \`${(await sign(REQUEST)).slice(3)}\``);
    for (const part of [SECRET, REQUEST.timestamp, REQUEST.uri, BODY, OWNER, CHAT])
      expect(signingDocs).toContain(part);
  });

  it("is valid with any of the configured secrets, in any position, and with no other secret", async () => {
    const signature = await sign(REQUEST);
    expect(await isValid(REQUEST, signature, [OTHER, SECRET])).toBe(true);
    expect(await isValid(REQUEST, signature, [SECRET, OTHER])).toBe(true);
    expect(await isValid(REQUEST, signature, [OTHER])).toBe(false);
    expect(await isValid(REQUEST, await sign(REQUEST, OTHER))).toBe(false);
    expect(await isValid(REQUEST, signature, [])).toBe(false);
  });

  it("uses the secret's text as the key, neither decoded from hexadecimal nor trimmed", async () => {
    const hex = "00112233445566778899aabbccddeeff".repeat(2);
    const signature = await sign(REQUEST, hex);
    expect(await isValid(REQUEST, signature, [hex])).toBe(true);
    expect(await isValid(REQUEST, signature, [hex.toUpperCase()])).toBe(false);
    expect(await isValid(REQUEST, signature, [`${hex} `])).toBe(false);
  });

  it("rejects a MAC with any single digit changed", async () => {
    const mac = (await sign(REQUEST)).slice(3);
    for (let at = 0; at < 64; at += 1) {
      const other = mac[at] === "0" ? "1" : "0";
      expect(await isValid(REQUEST, `v1=${mac.slice(0, at)}${other}${mac.slice(at + 1)}`)).toBe(false);
    }
  });
});

describe("A24 a signature is valid only for the request that was signed", () => {
  const CHANGES: readonly (readonly [string, Partial<Signed>])[] = [
    ["another body", { body: '{"model":"o9"}' }],
    ["no body", { body: "" }],
    ["a blank after the body", { body: `${BODY} ` }],
    ["another method", { method: "PUT" }],
    ["another path", { uri: "/openai/v1/chat/completions?beta=true" }],
    ["another provider's path", { uri: "/central/v1/responses?beta=true" }],
    ["a path prefix", { uri: "/api/v2/ai-gateway/openai/v1/responses?beta=true" }],
    ["no query", { uri: "/openai/v1/responses" }],
    ["a longer query", { uri: "/openai/v1/responses?beta=true&x=1" }],
    ["an equivalent percent-encoding", { uri: "/openai/v1/responses?bet%61=true" }],
    ["another timestamp", { timestamp: "1795000001" }],
    ["another owner", { owner: OWNER.replace(/1$/, "2") }],
    ["the owner in upper case", { owner: OWNER.toUpperCase() }],
    ["another chat", { chat: OWNER }],
    ["no chat", { chat: "" }],
    ["a subchat", { subchat: CHAT }],
    ["the chat as subchat", { chat: "", subchat: CHAT }],
    ["a workspace", { workspace: CHAT }],
    ["a malformed workspace", { workspace: "x" }],
  ];
  it.each(CHANGES)("rejects %s", async (_, change) => {
    const signature = await sign(REQUEST);
    expect(await isValid({ ...REQUEST, ...change }, signature)).toBe(false);
    // Only the change invalidates it: signed again, the changed request is valid.
    expect(await isValid({ ...REQUEST, ...change }, await sign({ ...REQUEST, ...change }))).toBe(true);
  });

  it("rejects a repeated header", async () => {
    const headers = headersOf(REQUEST, await sign(REQUEST));
    headers.append("x-coder-chat-id", CHAT);
    const header = read(headers, REQUEST.method, REQUEST.uri) as CoderSignature;
    expect(await createSignatureVerifier([SECRET])(header, await sha256Hex(BODY))).toBe(false);
  });

  it("ignores blanks around a header's value, which HTTP may add or remove", async () => {
    const headers = headersOf(REQUEST, await sign(REQUEST));
    const padded = new Headers();
    for (const [name, value] of headers) padded.set(name, ` \t${value}\t `);
    expect(read(padded, "POST", REQUEST.uri)).toEqual(read(headers, "POST", REQUEST.uri));
  });

  it("rejects each of 500 generated requests after one change", async () => {
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
      expect([
        field,
        await isValid(one, signature),
        await isValid({ ...one, ...changed }, signature),
      ]).toEqual([field, true, false]);
    });
  });
});

const MAC = "0123456789abcdef".repeat(4);
const kindOf = (signature: string | null, timestamp: string | null): string => {
  const headers = new Headers();
  if (signature !== null) headers.set("x-coder-signature", signature);
  if (timestamp !== null) headers.set("x-coder-signature-timestamp", timestamp);
  return read(headers, "POST", "/").kind;
};

describe("the signature headers", () => {
  it.each([
    [null, null],
    ["", null],
    [" ", "\t"],
  ])("are absent if their values are %j and %j", (signature, timestamp) => {
    expect(kindOf(signature, timestamp)).toBe("absent");
  });

  it.each([
    [`v1=${MAC}`, "1795000000"],
    [` v1=${MAC} `, "\t1795000000"],
    [`v1=${MAC}`, "1"],
    [`v1=${MAC}`, "999999999999"],
  ])("are well-formed if their values are %j and %j", (signature, timestamp) => {
    expect(kindOf(signature, timestamp)).toBe("presented");
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
    ["an empty MAC", "v1=", "1795000000"],
    ["a digit of another script", `v1=${MAC.replace("0", "\u0660")}`, "1795000000"],
    ["two signatures in one header", `v1=${MAC}, v1=${MAC}`, "1795000000"],
    ["a line separator after the MAC", `v1=${MAC}\u2028`, "1795000000"],
    ["two timestamps", `v1=${MAC}`, "1795000000, 1795000000"],
    ["milliseconds", `v1=${MAC}`, "1795000000000"],
    ["a sign", `v1=${MAC}`, "+1795000000"],
    ["a fraction", `v1=${MAC}`, "1795000000.0"],
    ["an exponent", `v1=${MAC}`, "1795e6"],
    ["hexadecimal", `v1=${MAC}`, "0x6afd3740"],
    ["a leading zero", `v1=${MAC}`, "01795000000"],
    ["zero", `v1=${MAC}`, "0"],
    ["a negative timestamp", `v1=${MAC}`, "-1"],
    ["an RFC 3339 date", `v1=${MAC}`, "2026-11-18T11:06:40Z"],
    ["100 KB", `v1=${"a".repeat(100_000)}`, "1".repeat(100_000)],
  ])("A22 are malformed with %s", (_, signature, timestamp) => {
    expect(kindOf(signature, timestamp)).toBe("malformed");
  });

  it("A22 are malformed if either is repeated, even with the same value", () => {
    for (const name of ["x-coder-signature", "x-coder-signature-timestamp"]) {
      const headers = headersOf(REQUEST, `v1=${MAC}`);
      headers.append(name, headers.get(name) ?? "");
      expect(read(headers, "POST", "/").kind).toBe("malformed");
    }
  });
});

const signedAt = (timestamp: string): PresentedSignature =>
  read(headersOf({ ...REQUEST, timestamp }, `v1=${MAC}`), "POST", "/") as PresentedSignature;

describe("A22 the timestamp window", () => {
  const NOW = 1_795_000_000_000;
  it.each([
    [-301_000, false],
    [-300_001, false],
    [-300_000, true],
    [0, true],
    [300_000, true],
    [300_001, false],
    [301_000, false],
  ])("decides at %i ms from the timestamp whether it is fresh: %s", (offset, fresh) => {
    expect(isFresh(signedAt("1795000000"), NOW + offset)).toBe(fresh);
  });

  it("rejects the smallest and the largest timestamp", () => {
    expect(isFresh(signedAt("1"), NOW)).toBe(false);
    expect(isFresh(signedAt("999999999999"), NOW)).toBe(false);
  });
});
