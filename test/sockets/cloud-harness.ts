/**
 * The gateway in front of the emulated clouds, each with keys of clients, with central keys and signed by the gateway. A proxy
 * keeps the bytes that the clouds get and send. AWS's own signer recomputes every signature.
 */
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { afterAll, afterEach, expect } from "vitest";
import { startEmulator } from "../../tools/emulator/server.ts";
import { startRecordingProxy, type Passed } from "../support/recording-proxy.ts";
import { interceptorOptions, startCheckedInterceptor } from "./exchange.ts";

export const AWS_ID = "AKIACANARY0123456789";
export const AWS_SECRET = "aws/secret+canary-0123456789abcdef0123456";
export const OTHER_ID = "AKIACANARY9876543210";
export const TOKEN = "session/token+canary-0123456789==";
export const WORKSPACE = "wrkspc_team";
export const REGION = "eu-west-1";

const emulator = await startEmulator({
  port: 0,
  eventMs: 0,
  slowMs: 1000,
  awsKeys: {
    [AWS_ID]: { secretAccessKey: AWS_SECRET },
    [OTHER_ID]: { secretAccessKey: AWS_SECRET, sessionToken: TOKEN },
  },
});
export const proxy = await startRecordingProxy(emulator.url);
afterAll(async () => {
  await proxy.close();
  await emulator.close();
});

const on = (path: string, preset: string, more: object = {}) => ({
  preset,
  base_url: `${proxy.url}${path}`,
  ...more,
});
const signedBy = (access_key_id: string, secret_access_key: string, more: object = {}) => ({
  region: REGION,
  aws: { access_key_id, secret_access_key, ...more },
});
const mantle = (more: object = {}) => on("/bedrock-mantle/anthropic", "bedrock-mantle", more);
const base = interceptorOptions(
  emulator.url,
  {},
  {
    foundry: on("/foundry/anthropic", "claude-foundry"),
    "foundry-central": on("/foundry/anthropic", "claude-foundry", { keys: ["CENTRAL_KEY"] }),
    mantle: mantle(),
    "mantle-central": mantle({ keys: ["CENTRAL_KEY"] }),
    "mantle-signed": mantle(signedBy("AWS_ID", "AWS_SECRET")),
    "mantle-session": mantle(signedBy("OTHER_ID", "AWS_SECRET", { session_token: "TOKEN" })),
    "mantle-expired": mantle(signedBy("OTHER_ID", "AWS_SECRET")),
    "mantle-wrong": mantle(signedBy("AWS_ID", "WRONG_SECRET")),
    "claude-aws": on("/claude-aws", "claude-aws"),
    "claude-aws-signed": on("/claude-aws", "claude-aws", {
      ...signedBy("AWS_ID", "AWS_SECRET"),
      workspace_id: WORKSPACE,
      objects: { read: "on", write: "on", delete: "on" },
    }),
  },
);
export const interceptor = await startCheckedInterceptor({
  ...base,
  secrets: {
    ...base.secrets,
    AWS_ID,
    AWS_SECRET,
    OTHER_ID,
    TOKEN,
    WRONG_SECRET: "another/secret+canary-0123456789abcdef01234",
  },
});

/** The SHA-256 and HMAC-SHA256 that AWS's signer requires, by Node. */
class Sha256 {
  readonly #hash;
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    const bytes = key instanceof ArrayBuffer ? new Uint8Array(key) : key;
    this.#hash =
      bytes === undefined
        ? createHash("sha256")
        : createHmac("sha256", bytes as string | NodeJS.ArrayBufferView);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error("not used");
  }
}

const SIGNED = /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\/aws4_request, SignedHeaders=([\w;-]+), /;

/** The Authorization header that AWS's signer computes for the request as it was received. */
export async function recomputed({ method, target, headers, body }: Passed): Promise<string | undefined> {
  const { authorization = "", "x-amz-date": date = "" } = headers;
  const [, service = "", names = ""] = SIGNED.exec(authorization) ?? [];
  const url = new URL(target, `http://${headers["host"] ?? ""}`);
  const signer = new SignatureV4({
    service,
    region: REGION,
    credentials: {
      accessKeyId: /Credential=([^/]+)/.exec(authorization)?.[1] ?? "",
      secretAccessKey: AWS_SECRET,
    },
    sha256: Sha256,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method,
      protocol: "http:",
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(
        [...url.searchParams.keys()].map((key) => [key, url.searchParams.getAll(key)]),
      ),
      headers: Object.fromEntries(names.split(";").map((name) => [name, headers[name] ?? ""])),
      body,
    },
    { signingDate: date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z") },
  );
  return signed.headers["authorization"];
}

/** Every signature that the provider received is the one that AWS's signer computes, and no secret was printed. */
async function checkSignatures(): Promise<void> {
  const signed = proxy.passed.filter(({ headers }) => headers["authorization"]?.startsWith("AWS4-"));
  for (const request of signed) expect(request.headers["authorization"]).toBe(await recomputed(request));
  const printed = interceptor.lines().map(({ message }) => message);
  for (const secret of [AWS_ID, AWS_SECRET, OTHER_ID, TOKEN])
    expect(printed.filter((line) => line.includes(secret))).toEqual([]);
}
afterEach(async () => {
  await checkSignatures();
  proxy.passed.length = 0;
});
