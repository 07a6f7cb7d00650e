/** Requests that the gateway signs for AWS: each attempt anew, over the body that is sent, and never an upload. */
import { describe, expect, it } from "vitest";
import { findSignatureFault } from "../../../tools/emulator/aws-signature.ts";
import {
  BODY,
  CLIENT_KEY,
  chatResponse,
  json,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { T0, type Sent } from "../../support/in-workerd/gateway-harness.ts";
import { openPool, type PoolSetup } from "../../support/in-workerd/pool-gateway.ts";
import { text } from "../../support/in-workerd/values.ts";

const SECRETS = { AWS_ID: "AKIA0123456789ABCDEF", AWS_SECRET: "CANARY/secret+0123456789abcdef" };
const KEYS = { [SECRETS.AWS_ID]: { secretAccessKey: SECRETS.AWS_SECRET } };
const aws = { access_key_id: "AWS_ID", secret_access_key: "AWS_SECRET", region: "us-east-1" };

/** A provider of OpenAI's dialect, whose bodies the gateway may change, and one of Anthropic's, with workspaces. */
const open = (provider: PoolSetup["provider"], settings: Record<string, unknown> = {}) =>
  openPool({
    provider,
    vars: {
      PROVIDERS: {
        signed: {
          type: "openai",
          base_url: "https://signed.example/v1",
          aws: { ...aws, service: "execute-api" },
          ...settings,
        },
        claude: {
          preset: "claude-aws",
          region: "us-east-1",
          workspace_id: "wrkspc_team",
          aws,
          objects: { read: "on", write: "on", delete: "on" },
        },
      },
      ...SECRETS,
    },
  });

const CHAT = "/signed/v1/chat/completions";
const BATCHES = "/claude/v1/messages/batches";

const faultOf = ({ url, method, headers, body }: Sent, service = "execute-api") => {
  const { host, pathname, search } = new URL(url);
  const all = { host, ...Object.fromEntries(headers) };
  const date = all["x-amz-date" as keyof typeof all] ?? "";
  const now = Date.parse(date.replace(/^(.{4})(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"));
  const request = { method, target: pathname + search, headers: all, body };
  return findSignatureFault(request, { keys: KEYS, service, now });
};
const dates = (sent: readonly Sent[]) => sent.map(({ headers }) => headers.get("x-amz-date"));
const faults = (sent: readonly Sent[]) => Promise.all(sent.map((one) => faultOf(one)));

describe("a request that the gateway signs", () => {
  it("is signed at the time of each attempt", async () => {
    let at = 0;
    const wait = { "retry-after": "7" };
    const gateway = await open(
      () => ((at += 1) < 3 ? json("{}", { status: 503, headers: wait }) : chatResponse()),
      { retries: { attempts: 3, wait_ms: 0 } },
    );
    const { response, events } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect([response.status, T0]).toEqual([200, Date.UTC(2026, 10, 23, 12)]);
    expect(dates(gateway.sent)).toEqual(["20261123T120000Z", "20261123T120007Z", "20261123T120014Z"]);
    expect(await faults(gateway.sent)).toEqual([null, null, null]);
    const hints = events.flatMap((event) =>
      event.record_type === "upstream_attempt" ? [event.key_hint] : [],
    );
    expect(hints).toEqual(Array(3).fill("AKIA...CDEF"));
    expect(gateway.held()).toBe(0);
  });

  it("is signed over the usage opt-in, and again without it once the provider has rejected that", async () => {
    const error = '{"error":{"message":"Unrecognized request argument supplied: stream_options"}}';
    const gateway = await open(({ body }) =>
      text(body).includes("include_usage")
        ? json(error, { status: 400 })
        : sse(new Response("data: [DONE]\n\n").body as ReadableStream),
    );
    const { response } = await gateway.exchange(CHAT, post(STREAM_BODY, CLIENT_KEY));
    expect([response.status, gateway.sent.length, text(gateway.sent[1]?.body ?? new Uint8Array())]).toEqual([
      200,
      2,
      STREAM_BODY,
    ]);
    expect(await faults(gateway.sent)).toEqual([null, null]);
  });

  it("is signed over the path, query and body of a passthrough", async () => {
    const gateway = await open(() => json("{}"));
    await gateway.exchange("/signed/v1/models?b=2&a=%20x", { headers: CLIENT_KEY });
    await gateway.exchange("/signed/v1/embeddings", post('{"model":"m","input":"a"}', CLIENT_KEY));
    expect(await faults(gateway.sent)).toEqual([null, null]);
  });

  it("is sent without a signature where the client has a key of its own", async () => {
    const gateway = await open(() => json("{}"));
    const headers = { "x-coder-ai-governance-token": CLIENT_KEY.authorization.slice(7), ...OWN_KEY };
    await gateway.exchange("/signed/v1/models", { headers });
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(OWN_KEY.authorization);
    expect(dates(gateway.sent)).toEqual([null]);
  });

  // The attack: a caller with a provider key of its own, which anyone can invent, spends the gateway's access key.
  it("is not made for a caller that no source verifies", async () => {
    const gateway = await open(() => json("{}"));
    const { response } = await gateway.exchange(CHAT, post(BODY, OWN_KEY));
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      401,
      "byok_not_accepted",
    ]);
    expect(gateway.sent).toEqual([]);
  });

  it("is refused in the caller's dialect where the client signed it", async () => {
    const gateway = await open(() => json("{}"));
    const authorization =
      "AWS4-HMAC-SHA256 Credential=AKIACANARY/20261123/us-east-1/s/aws4_request, SignedHeaders=host, Signature=0";
    for (const [path, type] of [
      [CHAT, '"type":"authentication_error","param":null,"code":"aws_signature_unsupported"'],
      ["/claude/v1/messages", '{"type":"error","error":{"type":"authentication_error"'],
    ] as const) {
      const { response, text: body, events } = await gateway.exchange(path, post(BODY, { authorization }));
      expect([response.status, response.headers.get("x-should-retry")]).toEqual([401, "false"]);
      expect(body.replace(/"message":"[^"]*",/, "")).toContain(type);
      expect(only(events, "refusal")).toMatchObject({ reason: "aws_signature_unsupported" });
    }
    expect(gateway.sent).toEqual([]);
  });
});

describe("an upload that the gateway would have to sign", () => {
  const headers = { ...CLIENT_KEY, "anthropic-version": "2023-06-01", "content-type": "application/json" };

  it("is signed where it is small enough to be held", async () => {
    const gateway = await open(() => json("{}"));
    await gateway.exchange(BATCHES, post('{"requests":[]}', headers));
    const [sent] = gateway.sent;
    expect(sent?.headers.get("anthropic-workspace-id")).toBe("wrkspc_team");
    expect(sent && (await faultOf(sent, "aws-external-anthropic"))).toBeNull();
  });

  it("is signed at any size where its tokens are counted: a long conversation is counted before it is sent", async () => {
    const gateway = await open(() => json('{"input_tokens":1}'));
    const body = `{"model":"m","system":"${"x".repeat(300_000)}","messages":[]}`;
    const init = post(body, { ...headers, "content-length": String(body.length) });
    const { response } = await gateway.exchange("/claude/v1/messages/count_tokens", init);
    const [sent] = gateway.sent;
    expect([response.status, text(sent?.body ?? new Uint8Array())]).toEqual([200, body]);
    expect(sent && (await faultOf(sent, "aws-external-anthropic"))).toBeNull();
  });

  it("is refused before the provider is called, and is not read any further", async () => {
    const gateway = await open(() => json("{}"));
    let isCancelled = false;
    const body = new ReadableStream({
      type: "bytes",
      pull: (controller) => controller.enqueue(new Uint8Array(1024)),
      cancel: () => void (isCancelled = true),
    });
    const init = { ...post(body as never, headers), headers: { ...headers, "content-length": "9000000" } };
    const { response, events } = await gateway.exchange(BATCHES, init);
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      413,
      "upload_not_signed",
    ]);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "refused",
      error: "upload_not_signed",
    });
    expect([gateway.sent, isCancelled]).toEqual([[], true]);
  });
});
