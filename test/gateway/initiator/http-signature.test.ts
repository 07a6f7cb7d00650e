import { describe, expect, it } from "vitest";
import { toHex } from "../../../src/shared/hex.ts";
import { fromBase64 } from "../../../src/shared/base64.ts";
import {
  parseContentDigest,
  parseSignature,
  parseSignatureInput,
} from "../../../src/gateway/initiator/http-signature/fields.ts";
import { createHttpSignatureVerifier } from "../../../src/gateway/initiator/http-signature/keys.ts";
import { signatureBase } from "../../../src/gateway/initiator/http-signature/signature-base.ts";
import type { HttpSignature } from "../../../src/gateway/initiator/signature.ts";
import { ED25519 } from "../../support/in-workerd/http-signing.ts";

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => fromBase64(base64) ?? new Uint8Array();

/** The request of RFC 9421 appendix B.2. */
const RFC_REQUEST = {
  method: "POST",
  url: "https://example.com",
  uri: "/foo?param=Value&Pet=dog",
  headers: new Headers({
    host: "example.com",
    date: "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-length": "18",
  }),
};
/** Appendix B.1.5. */
const SHARED_SECRET =
  "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

const VECTORS = [
  {
    section: "B.2.5",
    components: ["date", "@authority", "content-type"],
    params: '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    base: [
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@authority": example.com',
      '"content-type": application/json',
    ],
    key: { id: "test-shared-secret", algorithm: "hmac-sha256", bytes: bytesOf(SHARED_SECRET) },
    signature: "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
  },
  {
    section: "B.2.6",
    components: ["date", "@method", "@path", "@authority", "content-type", "content-length"],
    params:
      '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    base: [
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@method": POST',
      '"@path": /foo',
      '"@authority": example.com',
      '"content-type": application/json',
      '"content-length": 18',
    ],
    key: { id: "test-key-ed25519", algorithm: "ed25519", bytes: bytesOf(ED25519.x) },
    signature: "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
  },
] as const;

describe("A25 the test vectors of RFC 9421", () => {
  const presented = ({ params, components, signature, key }: (typeof VECTORS)[number]): HttpSignature => ({
    kind: "presented",
    format: "http",
    from: 0,
    until: 0,
    keyId: key.id,
    algorithm: null,
    nonce: "",
    base: signatureBase(RFC_REQUEST, { components, params }) ?? "",
    signature: bytesOf(signature),
    contentSha256: "",
  });

  it.each(VECTORS)("$section has the RFC's signature base", ({ components, params, base }) => {
    expect(signatureBase(RFC_REQUEST, { components, params })).toBe(
      [...base, `"@signature-params": ${params}`].join("\n"),
    );
  });

  it.each(VECTORS)("$section is valid, and invalid with one bit changed anywhere", async (vector) => {
    const verify = createHttpSignatureVerifier([vector.key]);
    const valid = presented(vector);
    expect(await verify(valid, "")).toBe(true);
    for (let at = 0; at < valid.signature.length; at += 1) {
      const signature = Uint8Array.from(valid.signature);
      signature[at] = (signature[at] ?? 0) ^ 1;
      expect(await verify({ ...valid, signature }, "")).toBe(false);
    }
    for (let at = 0; at < valid.base.length; at += 1) {
      const base = `${valid.base.slice(0, at)}\u0001${valid.base.slice(at + 1)}`;
      expect(await verify({ ...valid, base }, "")).toBe(false);
    }
  });

  it.each(VECTORS)(
    "$section is invalid with another alg, an unknown keyid or another content",
    async (vector) => {
      const verify = createHttpSignatureVerifier([vector.key]);
      const valid = presented(vector);
      expect(await verify({ ...valid, algorithm: vector.key.algorithm }, "")).toBe(true);
      // The attack: an Ed25519 public key, which is no secret, used as the secret of an HMAC.
      const other = vector.key.algorithm === "ed25519" ? "hmac-sha256" : "ed25519";
      expect(await verify({ ...valid, algorithm: other }, "")).toBe(false);
      expect(await verify({ ...valid, keyId: "test-key" }, "")).toBe(false);
      expect(await verify(valid, "0".repeat(64))).toBe(false);
    },
  );

  it.each(VECTORS)(
    "$section is not accepted as an owner's signature: it has no nonce and no expiry",
    ({ params }) => {
      expect(parseSignatureInput(`sig=${params}`)).toBeNull();
    },
  );
});

const INPUT = 'sig1=("@method" "x-a");created=1;expires=2;nonce="n";keyid="k"';

describe("A26 Signature-Input", () => {
  it("is read with its parameters in any order", () => {
    expect(
      parseSignatureInput(
        's*=("@method" "x-a");keyid="k\\"\\\\";alg="ed25519";expires=2;nonce="n";created=1',
      ),
    ).toEqual({
      label: "s*",
      components: ["@method", "x-a"],
      created: 1,
      expires: 2,
      nonce: "n",
      keyId: 'k"\\',
      algorithm: "ed25519",
      params: '("@method" "x-a");keyid="k\\"\\\\";alg="ed25519";expires=2;nonce="n";created=1',
    });
  });

  it("is serialized again without the blanks that its grammar allows", () => {
    const spaced = 'sig1=(  "@method"   "x-a" );  created=1; expires=2; nonce="n";keyid="k"';
    expect(parseSignatureInput(spaced)?.params).toBe(INPUT.slice("sig1=".length));
  });

  it.each([
    ["nothing", ""],
    ["two signatures", `${INPUT}, ${INPUT.replace("sig1", "sig2")}`],
    ["one label twice", `${INPUT}, ${INPUT}`],
    ["a repeated component", INPUT.replace('"x-a"', '"@method"')],
    ["a component with ;sf", INPUT.replace('"x-a"', '"x-a";sf')],
    ["a component with ;bs", INPUT.replace('"x-a"', '"x-a";bs')],
    ["a component with ;req", INPUT.replace('"@method"', '"@method";req')],
    ["a component with ;key", INPUT.replace('"x-a"', '"x-a";key="a"')],
    ["a component with ;tr", INPUT.replace('"x-a"', '"x-a";tr')],
    ["a component in upper case", INPUT.replace("x-a", "X-A")],
    ["a component that is a token", INPUT.replace('"x-a"', "x-a")],
    ["components without a blank", INPUT.replace('" "', '""')],
    ["components separated by a tab", INPUT.replace('" "', '"\t"')],
    ["components separated by a comma", INPUT.replace('" "', '","')],
    ["an escaped component", INPUT.replace("x-a", "x\\-a")],
    ["no label", INPUT.slice(5)],
    ["a label in upper case", INPUT.replace("sig1", "Sig1")],
    ["a blank after the label", INPUT.replace("=(", "= (")],
    ["a blank before a semicolon", INPUT.replace(";expires", " ;expires")],
    ["a tab after a semicolon", INPUT.replace(";expires", ";\texpires")],
    ["no created", INPUT.replace(";created=1", "")],
    ["no expires", INPUT.replace(";expires=2", "")],
    ["no nonce", INPUT.replace(';nonce="n"', "")],
    ["an empty nonce", INPUT.replace('"n"', '""')],
    ["no keyid", INPUT.replace(';keyid="k"', "")],
    ["a repeated parameter", `${INPUT};created=1`],
    ["an unknown parameter", `${INPUT};x=1`],
    ["a tag", `${INPUT};tag="web-bot-auth"`],
    ["created as a string", INPUT.replace("created=1", 'created="1"')],
    ["created as a decimal", INPUT.replace("created=1", "created=1.0")],
    ["a negative created", INPUT.replace("created=1", "created=-1")],
    ["created with a leading zero", INPUT.replace("created=1", "created=01")],
    ["created of 16 digits", INPUT.replace("created=1", `created=${"1".repeat(16)}`)],
    ["created as a date", INPUT.replace("created=1", "created=@1")],
    ["a nonce that is a token", INPUT.replace('"n"', "n")],
    ["a nonce of bytes", INPUT.replace('"n"', ":bg==:")],
    ["an unfinished string", INPUT.slice(0, -1)],
    ["an invalid escape", INPUT.replace('"n"', '"\\n"')],
    ["a nonce that is not ASCII", INPUT.replace('"n"', '"ñ"')],
    ["expires before created", INPUT.replace("expires=2", "expires=0")],
    ["no list", 'sig1="x-a";created=1;expires=2;nonce="n";keyid="k"'],
    ["a nested list", INPUT.replace('"x-a"', '("x-a")')],
    ["an unclosed list", INPUT.replace(")", "")],
    ["a trailing comma", `${INPUT},`],
    ["more than 4 KiB", INPUT.replace('"n"', `"${"n".repeat(4096)}"`)],
  ])("is malformed with %s", (_, value) => {
    expect(parseSignatureInput(value)).toBeNull();
  });

  it("is parsed in linear time: a megabyte of any repeated piece is rejected at once", () => {
    // The attack: a long field that makes a backtracking parser slow. Each piece takes one step per byte at most.
    for (const piece of ["(", " ", '"', "\\", ";", '"a" ', ";a=1", "=", ","])
      expect(parseSignatureInput(`sig1=(${piece.repeat(250_000)}`)).toBeNull();
    for (const piece of [" ", '"a" ', ";created=1", "; ", '"'])
      expect(parseSignatureInput(`sig1=(${piece.repeat(300)}`)).toBeNull();
  });
});

describe("Signature", () => {
  const input = parseSignatureInput(INPUT);
  if (input === null) throw new Error("the input is malformed");

  it("is the bytes under the input's label", () => {
    expect(toHex(parseSignature("sig1=:AAEC:", input) ?? new Uint8Array())).toBe("000102");
  });

  it.each([
    ["another label", "sig2=:AAEC:"],
    ["two signatures", "sig1=:AAEC:, sig2=:AAEC:"],
    ["one label twice", "sig1=:AAEC:, sig1=:AAEC:"],
    ["a parameter", "sig1=:AAEC:;a"],
    ["a string", 'sig1="AAEC"'],
    ["a list", "sig1=(:AAEC:)"],
    ["no bytes", "sig1=::"],
    ["base64 without padding", "sig1=:AAE:"],
    ["base64url", "sig1=:_-_-:"],
    ["blanks within", "sig1=:AA EC:"],
    ["more than 1 KiB", `sig1=:${"AAEC".repeat(300)}:`],
  ])("is malformed with %s", (_, value) => {
    expect(parseSignature(value, input)).toBeNull();
  });
});

describe("Content-Digest", () => {
  const DIGEST = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";

  it("is the SHA-256 of RFC 9530 appendix A", () => {
    // {"hello": "world"} and a line feed.
    expect(toHex(parseContentDigest(`sha-256=:${DIGEST}:`) ?? new Uint8Array())).toMatch(/^5f8f04f6a3a892aa/);
  });

  it.each([
    ["nothing", ""],
    ["another algorithm", `sha-512=:${DIGEST}:`],
    ["two digests of one algorithm", `sha-256=:${DIGEST}:, sha-256=:${DIGEST}:`],
    ["a second algorithm", `sha-256=:${DIGEST}:, md5=:AAEC:`],
    ["a shorter digest", "sha-256=:AAEC:"],
    ["a parameter", `sha-256=:${DIGEST}:;a`],
    ["upper case", `SHA-256=:${DIGEST}:`],
    ["a string", `sha-256="${DIGEST}"`],
  ])("is malformed with %s", (_, value) => {
    expect(parseContentDigest(value)).toBeNull();
  });
});

const valueOf = (name: string, over: Partial<typeof RFC_REQUEST>): string | undefined =>
  signatureBase({ ...RFC_REQUEST, ...over }, { components: [name], params: "" })
    ?.split("\n")[0]
    ?.slice(name.length + 4);

describe("A26 the value of a component", () => {
  it.each([
    ["Example.COM", "https", "example.com"],
    ["example.com:443", "https", "example.com"],
    ["example.com:80", "https", "example.com:80"],
    ["example.com:80", "http", "example.com"],
    ["example.com:8787", "http", "example.com:8787"],
    ["[::1]:8787", "http", "[::1]:8787"],
  ])("@authority is normalized: %s over %s", (host, scheme, authority) => {
    const request = { url: `${scheme}://ignored.test`, headers: new Headers({ host }) };
    expect(valueOf("@authority", request)).toBe(authority);
    expect(valueOf("@target-uri", request)).toBe(`${scheme}://${authority}/foo?param=Value&Pet=dog`);
  });

  it.each(["x/openai/v1?", "a@b", "a, b", "", "a b", "a\\b", "é", "a:b", "a:123456"])(
    "@authority is rejected where Host is %j",
    (host) => {
      // The attack: a Host that holds a path, or two hosts.
      expect(valueOf("@authority", { url: "https://", headers: new Headers({ host }) })).toBeUndefined();
    },
  );

  it.each([
    ["/a", "/a", "?"],
    ["/a?", "/a", "?"],
    ["/a?b?c=%7E", "/a", "?b?c=%7E"],
  ])("@path and @query are verbatim: %s", (uri, path, query) => {
    expect([valueOf("@path", { uri }), valueOf("@query", { uri })]).toEqual([path, query]);
  });

  it.each([
    "@status",
    "@query-param",
    "@scheme",
    "@request-target",
    "@signature-params",
    "@unknown",
    "x-absent",
  ])("%s cannot be covered", (name) => {
    expect(valueOf(name, {})).toBeUndefined();
  });

  it("of a repeated field is its values joined by a comma and a blank", () => {
    const headers = new Headers([
      ["x-a", " 1 "],
      ["x-a", "2"],
    ]);
    expect(valueOf("x-a", { headers })).toBe("1, 2");
  });

  it.each(["a\tb", "é", "a\u0000", "a\u007f"])("is rejected where it is not printable ASCII: %j", (value) => {
    const headers = { get: () => value, has: () => true } as unknown as Headers;
    expect(valueOf("x-a", { headers })).toBeUndefined();
  });
});
