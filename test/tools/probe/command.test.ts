/** `npm run probe`: its arguments, the proof of the echo, and the steps that deploy and remove the echo. */
import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { main } from "../../../tools/probe.ts";
import { readArguments } from "../../../tools/probe/arguments.ts";
import type { Received } from "../../../tools/probe/client/http.ts";
import { deployEcho, removeEcho } from "../../../tools/probe/deploy-echo.ts";
import { introduce, type Echo } from "../../../tools/probe/echo-client.ts";
import { ECHO_NAME } from "../../../tools/probe/echo/protocol.ts";
import { DEFAULT_PLAN, LONG_PLAN } from "../../../tools/probe/plan.ts";

const SECRET = "secret-canary-0123456789-0123456789";
const ENV = { PROBE_SECRET: SECRET };
const URL_ARGS = ["--url", "https://ai.your-company.com"];

/** An echo whose first response has this body. */
const respondingWith = (status: number, body: (nonce: string) => unknown): Echo =>
  ({
    open: async (_action: string, { params }: { readonly params: { readonly nonce: string } }) => {
      const bytes = Buffer.from(JSON.stringify(body(params.nonce)));
      const received: Partial<Received> = {
        status,
        headers: {},
        chunks: [{ at: 0, bytes }],
        brokenBy: null,
      };
      return { received: Promise.resolve(received) };
    },
  }) as never;
const proofBy = (secret: string) => (nonce: string) => ({
  echo: ECHO_NAME,
  proof: createHmac("sha256", secret).update(nonce).digest("hex"),
});

/** Records wrangler's commands; `fail`: which of them fails, with its text. */
function fakeWrangler(fail: readonly (readonly [command: RegExp, text: string])[] = []) {
  const commands: string[] = [];
  const secrets: string[] = [];
  let printed = "";
  const run = async (args: readonly string[]) => {
    const command = args.join(" ");
    commands.push(command.replace(/\S+secrets\.json/, "FILE"));
    const file = args[args.indexOf("--secrets-file") + 1];
    if (args.includes("--secrets-file") && file) secrets.push(file, readFileSync(file, "utf8"));
    const failure = fail.find(([pattern]) => pattern.test(command));
    return { ok: !failure, stdout: "", lines: failure ? [failure[1]] : [] };
  };
  return {
    commands,
    secrets,
    printed: () => printed,
    deps: { run, print: (text: string) => void (printed += text) },
  };
}

describe("the arguments of npm run probe", () => {
  it.each([
    [["--url"], "argument missing"],
    [["--unknown"], "--unknown"],
    [["--url", "https://ai.your-company.com/openai"], "--url must be"],
    // The requests hold secrets.
    [["--url", "http://ai.your-company.com"], "--url must be"],
    [[...URL_ARGS, "--echo-url", "nonsense"], "--echo-url must be"],
    [[...URL_ARGS, "--local"], "exclude each other"],
    [[...URL_ARGS, "--provider", "openai"], "not an AI provider"],
    [["--echo-url", "https://echo.example.com"], "requires --url"],
    [["--deploy-echo", "--without", "d1"], "--without must be"],
    [["--without", "r2"], "requires --deploy-echo"],
    [["--dry-run"], "requires --deploy-echo"],
  ])("%j are rejected", (args, sentence) => {
    expect(readArguments(args, ENV)).toContain(sentence);
  });

  it("require a secret of 32 characters for a deployment, and none for a local run or a dry run", () => {
    expect(readArguments(URL_ARGS, {})).toContain("PROBE_SECRET must be set");
    expect(readArguments(["--deploy-echo"], { PROBE_SECRET: "short" })).toContain("PROBE_SECRET must be set");
    expect(readArguments([], {})).toEqual({ verb: "local", plan: DEFAULT_PLAN });
    expect(readArguments(["--local", "--long"], {})).toEqual({ verb: "local", plan: LONG_PLAN });
    expect(readArguments(["--deploy-echo", "--dry-run"], {})).toMatchObject({ verb: "deploy", dryRun: true });
  });

  it("name the gateway, the echo and the credentials", () => {
    const env = { ...ENV, PROBE_CLIENT_KEY: "canary-key", INTERCEPTOR_ADMIN_TOKEN: "canary-token" };
    expect(readArguments([...URL_ARGS, "--echo-url", "https://echo.example.com"], env)).toMatchObject({
      verb: "remote",
      plan: DEFAULT_PLAN,
      target: {
        gateway: { url: new URL("https://ai.your-company.com") },
        echo: { url: new URL("https://echo.example.com") },
        provider: "probe",
        secret: SECRET,
        clientKey: "canary-key",
        adminToken: "canary-token",
        isLocal: false,
      },
    });
  });

  it("end the command with 0 for --help, 2 for invalid ones, and 1 where the gateway cannot be reached", async () => {
    const before = process.env["PROBE_SECRET"];
    process.env["PROBE_SECRET"] = SECRET;
    try {
      expect(await main(["--help"])).toBe(0);
      expect(await main(["--unknown"])).toBe(2);
      expect(await main(["--url", "http://127.0.0.1:1"])).toBe(1);
    } finally {
      if (before === undefined) delete process.env["PROBE_SECRET"];
      else process.env["PROBE_SECRET"] = before;
    }
  });
});

describe("the proof of the echo", () => {
  it("is accepted from the holder of the secret", async () => {
    const { hello } = await introduce(respondingWith(200, proofBy(SECRET)), SECRET);
    expect(hello.echo).toBe(ECHO_NAME);
  });

  // A provider that is not the echo: one that sends a plausible body, a proof by another secret, or an error.
  it.each([
    ["another proof", 200, proofBy("another-canary"), "did not prove"],
    ["another service's body", 200, () => ({ object: "list", data: [] }), "did not prove"],
    ["an error", 401, () => ({}), "status 401"],
  ])("is refused for %s, so that no further request is sent", async (_, status, body, sentence) => {
    await expect(introduce(respondingWith(status, body), SECRET)).rejects.toThrow(sentence);
  });
});

describe("the echo's deployment", () => {
  it("creates bucket and queue, then uploads the Worker with its secret in a file that is deleted", async () => {
    const { commands, secrets, printed, deps } = fakeWrangler([
      [/r2/, "The bucket you tried to create already exists"],
    ]);
    await deployEcho({ without: [], dryRun: false }, SECRET, deps);
    expect(commands).toEqual([
      "r2 bucket create ai-edge-interceptor-probe",
      "queues create ai-edge-interceptor-probe",
      "deploy -c tools/probe/echo/wrangler.toml --secrets-file FILE",
    ]);
    const [file = "", text = ""] = secrets;
    expect(JSON.parse(text)).toEqual({ ECHO_SECRET: SECRET });
    expect(existsSync(file)).toBe(false);
    expect(printed()).not.toContain(SECRET);
  });

  it("leaves out the bindings that the account lacks", async () => {
    const { commands, deps } = fakeWrangler();
    await deployEcho({ without: ["r2", "queue"], dryRun: false }, SECRET, deps);
    expect(commands).toEqual(["deploy -c tools/probe/echo/wrangler.generated.json --secrets-file FILE"]);
    const config = JSON.parse(readFileSync("tools/probe/echo/wrangler.generated.json", "utf8")) as object;
    expect(config).toMatchObject({ name: ECHO_NAME, r2_buckets: [], compatibility_date: expect.any(String) });
    expect(config).not.toHaveProperty("queues");
  });

  it("stops at the first step that fails", async () => {
    const { commands, deps } = fakeWrangler([[/queues/, "Authentication error"]]);
    await expect(deployEcho({ without: [], dryRun: false }, SECRET, deps)).rejects.toThrow("Wrangler failed");
    expect(commands).toHaveLength(2);
  });

  it("prints its commands with --dry-run, and only bundles", async () => {
    const { commands, printed, deps } = fakeWrangler();
    await deployEcho({ without: [], dryRun: true }, "", deps);
    expect(commands).toEqual(["deploy --dry-run -c tools/probe/echo/wrangler.toml"]);
    expect(printed()).toContain("npx wrangler queues create ai-edge-interceptor-probe");
  });

  it("is removed with its consumer first, also where parts are gone already", async () => {
    const { commands, deps } = fakeWrangler([[/^delete|^queues delete/, "not found"]]);
    await removeEcho({ dryRun: false }, deps);
    expect(commands).toEqual([
      "queues consumer remove ai-edge-interceptor-probe ai-edge-interceptor-probe-echo",
      "delete --force -c tools/probe/echo/wrangler.toml",
      "queues delete ai-edge-interceptor-probe",
      "r2 bucket delete ai-edge-interceptor-probe",
    ]);
    const dry = fakeWrangler();
    await removeEcho({ dryRun: true }, dry.deps);
    expect(dry.commands).toEqual([]);
    expect(dry.printed()).toContain("npx wrangler delete --force");
  });
});
