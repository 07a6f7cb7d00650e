/** The settings of Claude on other clouds: presets, workspaces and access keys of AWS. */
import { describe, expect, it } from "vitest";
import { issuesOf, keysWithIssues, CLIENT_KEYS, read, type Vars } from "./read-config.ts";

const SECRETS = { ACCESS: "AKIA0123456789ABCDEF", SECRET: "s/e+cret-0123456789", TOKEN: "t/o+ken==" };
const AWS = { access_key_id: "ACCESS", secret_access_key: "SECRET" };
const MANTLE = { region: "us-east-1", aws: AWS };

const withKeys = (name: string, settings: Vars, more: Vars = {}): Vars => ({
  PROVIDERS: { [name]: settings },
  IDENTITY: [{ source: "keys" }],
  CLIENT_KEYS,
  ...SECRETS,
  ...more,
});
const providerOf = (name: string, settings: Vars) => read(withKeys(name, settings)).providers.get(name);

describe("a preset for Claude on another cloud", () => {
  it.each([
    [
      "claude-foundry",
      { resource: "team-a" },
      { baseUrl: "https://team-a.services.ai.azure.com/anthropic", keyHeader: null },
    ],
    [
      "bedrock-mantle",
      { region: "eu-west-1" },
      { baseUrl: "https://bedrock-mantle.eu-west-1.api.aws/anthropic", keyHeader: "authorization" },
    ],
    [
      "claude-aws",
      { region: "us-west-2", workspace_id: "wrkspc_01" },
      {
        baseUrl: "https://aws-external-anthropic.us-west-2.api.aws",
        keyHeader: "authorization",
        accountHeaders: [["anthropic-workspace-id", "wrkspc_01"]],
      },
    ],
  ])("%s has the service's address", (name, settings, expected) => {
    expect(providerOf(name, settings)).toMatchObject({ accountHeaders: [], ...expected });
    expect(providerOf(name, settings)?.dialect.type).toBe("anthropic");
  });

  it.each([
    ["claude-foundry", {}, "resource"],
    ["claude-foundry", { resource: "a.evil.example/" }, "resource"],
    ["bedrock-mantle", {}, "region"],
    ["bedrock-mantle", { region: "us-east-1.evil.example" }, "region"],
    ["claude-aws", { workspace_id: "wrkspc_01" }, "region"],
    ["claude-aws", { region: "us-east-1", workspace_id: "a b" }, "workspace_id"],
    ["claude-aws", { region: "us-east-1", workspace_id: "a\r\nb" }, "workspace_id"],
    ["bedrock-mantle", { region: "us-east-1", workspace_id: "wrkspc_01" }, "workspace_id"],
  ])("%s reports %j by its key", (name, settings, key) => {
    expect(keysWithIssues(withKeys(name, settings))).toEqual([`PROVIDERS.${name}.${key}`]);
  });
});

describe("the setting aws", () => {
  it.each([
    ["of the preset and the provider", MANTLE, { region: "us-east-1", service: "bedrock-mantle" }],
    [
      "of its own",
      { ...MANTLE, aws: { ...AWS, region: "us-west-2", service: "other" } },
      { region: "us-west-2", service: "other" },
    ],
    [
      "of the provider, whose address is another",
      { ...MANTLE, base_url: "https://mantle.example/anthropic" },
      { region: "us-east-1", service: "bedrock-mantle" },
    ],
  ])("signs for the region and the service %s", (_, settings, scope) => {
    expect(providerOf("bedrock-mantle", settings)?.keys).toEqual([
      {
        kind: "aws",
        accessKeyId: SECRETS.ACCESS,
        secretAccessKey: SECRETS.SECRET,
        sessionToken: null,
        ...scope,
      },
    ]);
  });

  it("may have a session token, and another provider than one of a preset", () => {
    const aws = { ...AWS, session_token: "TOKEN", region: "us-east-1", service: "execute-api" };
    const settings = { type: "anthropic", base_url: "https://llm.example", aws };
    expect(providerOf("own", settings)?.keys).toMatchObject([{ sessionToken: SECRETS.TOKEN }]);
  });

  it("names secrets, which no response and no record may contain", () => {
    const { secrets } = read(
      withKeys("bedrock-mantle", { ...MANTLE, aws: { ...AWS, session_token: "TOKEN" } }),
    );
    const values = secrets.map(({ value }) => value);
    expect(values).toEqual(expect.arrayContaining(Object.values(SECRETS)));
  });

  it.each<[string, Vars, string]>([
    ["no access key", { aws: { secret_access_key: "SECRET" } }, "aws.access_key_id"],
    ["no secret", { aws: { access_key_id: "ACCESS" } }, "aws.secret_access_key"],
    ["a value in place of a secret's name", { aws: { ...AWS, access_key_id: "akia" } }, "aws.access_key_id"],
    ["an empty session token", { aws: { ...AWS, session_token: "" } }, "aws.session_token"],
    ["a region with a slash", { aws: { ...AWS, region: "us/east" } }, "aws.region"],
    ["an empty service", { aws: { ...AWS, service: "" } }, "aws.service"],
    ["a number as service", { aws: { ...AWS, service: 5 } }, "aws.service"],
    ["an unknown setting", { aws: { ...AWS, profile: "default" } }, "aws.profile"],
    ["no table", { aws: "ACCESS" }, "aws"],
    ["keys beside it", { keys: ["TOKEN"] }, "aws"],
  ])("reports %s by its key", (_, settings, key) => {
    const vars = withKeys("bedrock-mantle", { ...MANTLE, ...settings });
    expect(keysWithIssues(vars)).toEqual([`PROVIDERS.bedrock-mantle.${key}`]);
  });

  it("reports a secret that is missing, or cannot be sent, by its name", () => {
    expect(keysWithIssues(withKeys("bedrock-mantle", MANTLE, { SECRET: undefined }))).toEqual(["SECRET"]);
    expect(keysWithIssues(withKeys("bedrock-mantle", MANTLE, { ACCESS: "a b" }))).toEqual(["ACCESS"]);
  });

  it("requires region and service where no preset names them", () => {
    const settings = { type: "anthropic", base_url: "https://llm.example", aws: AWS };
    expect(keysWithIssues(withKeys("own", settings))).toEqual([
      "PROVIDERS.own.aws.region",
      "PROVIDERS.own.aws.service",
    ]);
  });

  // The attack: an open relay, in which any caller without a credential spends the gateway's access key.
  it("requires a source that verifies callers", () => {
    const vars = withKeys("bedrock-mantle", MANTLE, { IDENTITY: [{ source: "byok" }] });
    expect(issuesOf(vars)).toEqual([
      'PROVIDERS.bedrock-mantle.aws requires an IDENTITY source that verifies callers: with "byok" alone any caller could spend these keys',
    ]);
  });

  it.each(["access_key_id", "secret_access_key", "session_token"])(
    "must not share %s with another purpose",
    (key) => {
      const aws = { ...AWS, [key]: "EVENT_MAC_KEY" };
      const vars = withKeys(
        "bedrock-mantle",
        { ...MANTLE, aws },
        { EVENT_MAC_KEY: "0123456789abcdefghijklmnopqrstuvwxyzABCD" },
      );
      expect(issuesOf(vars)).toEqual(["PROVIDERS must not use a secret of EVENT_MAC_KEY"]);
    },
  );
});
