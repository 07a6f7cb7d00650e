/* oxlint-disable vitest/expect-expect -- expectForwarded is an assertion */
/** The example signer in docs/ with HTTP message signatures (RFC 9421), against the gateway over sockets. */
import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startChild, type Child } from "../../tools/local/child.ts";
import { rawRequest, type RawResponse } from "../support/raw-client.ts";
import type { HeaderPair } from "../support/wire.ts";
import {
  bearer,
  BODY,
  CODER_AGENTS_UA,
  KEYS,
  newOwner,
  openCaseHarness,
  ownerHeader,
  type CaseHarness,
} from "./case-harness.ts";

const SECRET = "signing canary 6b1f0c5d2a9e47388e7d";
const CHAT = "/openai/v1/chat/completions";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");

let harness: CaseHarness;
let folder = "";
beforeAll(async () => {
  harness = await openCaseHarness();
  folder = mkdtempSync(join(tmpdir(), "signer-"));
  writeFileSync(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await harness.configure({
    vars: {
      OWNER_ASSERTION: {
        signature: "require",
        replay_cache: true,
        http_signature_keys: [
          { id: "mac", algorithm: "hmac-sha256", secret: "SIGNING_KEY" },
          {
            id: "ed",
            algorithm: "ed25519",
            public_key: createPublicKey(publicKey.export({ type: "spki", format: "pem" })).export({
              type: "spki",
              format: "pem",
            }),
          },
        ],
      },
    },
    secrets: { SIGNING_KEY: SECRET },
    nonces: "bound",
  });
});
beforeEach(() => {
  harness.reset();
  harness.registerSecret(SECRET);
});
afterEach(() => harness.check());
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await harness.close();
});

const headersFor = (owner: string, more: readonly HeaderPair[] = []): readonly HeaderPair[] => [
  bearer(KEYS.service),
  CODER_AGENTS_UA,
  ownerHeader(owner),
  ["X-Coder-Chat-Id", newOwner()],
  ...more,
];

async function expectSigned(owner: string, response: RawResponse): Promise<void> {
  expect([response.status, response.values("x-interceptor-error")]).toEqual([200, []]);
  expect(await harness.event("initiator_override")).toMatchObject({
    owner_id: owner,
    attribution: "signed",
    signature: "valid",
  });
  harness.upstream.clear();
}

describe.each([
  ["hmac-sha256", () => ({ KEY_ID: "mac", SIGNING_SECRET: SECRET })],
  ["ed25519", () => ({ KEY_ID: "ed", SIGNING_KEY_FILE: join(folder, "key.pem") })],
] as const)("A25 the example signer in docs/ with %s", (_, keyOf) => {
  let signer: Child;
  let port = 0;
  beforeAll(async () => {
    const { promise: ready, resolve } = Promise.withResolvers<number>();
    signer = startChild(fileURLToPath(new URL("../../docs/sign-owner.mjs", import.meta.url)), [], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { GATEWAY_URL: harness.interceptor.url, PORT: "0", ...keyOf() },
      onLine: (line) => {
        const printedPort = /http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
        if (printedPort !== undefined) resolve(Number(printedPort));
      },
    });
    port = await ready;
  });
  afterAll(() => signer.end());

  it.each([
    ["POST", `${CHAT}?x=%7E&y`, BODY],
    ["GET", "/openai/v1/models", undefined],
    ["POST", "/openai/v1/files", "\xff\0"],
  ])("signs %s %s so that the gateway accepts it", async (method, target, body) => {
    const owner = newOwner();
    const request = { method, target, headers: headersFor(owner), ...(body !== undefined && { body }) };
    await expectSigned(owner, await rawRequest(port, request));
  });

  it("signs a compressed body as it is sent, with its encoding", async () => {
    const owner = newOwner();
    const headers = headersFor(owner, [["Content-Encoding", "gzip"]]);
    await expectSigned(owner, await rawRequest(port, { target: CHAT, headers, body: gzipSync(BODY) }));
  });

  it("signs an immediate retry with another nonce, so that it is not a replay", async () => {
    const headers = headersFor(newOwner());
    const resend = (): Promise<RawResponse> => rawRequest(port, { target: CHAT, headers, body: BODY });
    const responses = await Promise.all([resend(), resend(), resend()]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    harness.upstream.clear();
  });

  it("replaces signatures that came with the request, in both formats", async () => {
    const owner = newOwner();
    const digest = createHash("sha256").update("another").digest("base64");
    const stale: readonly HeaderPair[] = [
      ["X-Coder-Signature", `v1=${"0".repeat(64)}`],
      ["X-Coder-Signature-Timestamp", "1"],
      ["Signature-Input", 'x=();created=1;expires=2;nonce="n";keyid="k"'],
      ["Signature", "x=:AAAA:"],
      ["Content-Digest", `sha-256=:${digest}:`],
    ];
    await expectSigned(
      owner,
      await rawRequest(port, { target: CHAT, headers: headersFor(owner, stale), body: BODY }),
    );
  });
});
