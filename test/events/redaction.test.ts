import { describe, expect, it } from "vitest";
import { MAX_CONTENT, createRedactor, toRecordedContent } from "../../src/events/redaction.ts";
import { MAX_TEXT } from "../../src/gateway/provider/bounded-text.ts";
import { between, forSeeds, seededRandom } from "../support/rechunk.ts";

const redact = createRedactor([]);

const PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\nAgEAAoIBAQC7VJTUt9Us8cKj==";
const pem = (label: string): string => `-----BEGIN ${label}-----\n${PEM_BODY}\n-----END ${label}-----`;

/** A form of a secret, its kind, and the text that must not be recorded. */
type Form = readonly [name: string, kind: string, secret: string];

const FORMS: readonly Form[] = [
  ["an OpenAI key", "provider_key", "sk-abcDEF0123456789abcdef"],
  ["an OpenAI project key", "provider_key", "sk-proj-Ab_9-x0123456789abcdefghij"],
  ["an Anthropic key", "provider_key", "sk-ant-api03-AbCd_efgh-0123456789-AA"],
  ["an OpenRouter key", "provider_key", "sk-or-v1-0123456789abcdef0123456789abcdef"],
  ["a client key of this gateway", "provider_key", "aei_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"],
  ["an admin token of this gateway", "provider_key", "aei_admin-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_"],
  ["a GitHub token", "provider_key", "ghp_0123456789abcdefABCDEF0123456789abcd"],
  ["a GitHub server token", "provider_key", "ghs_0123456789abcdefABCDEF0123456789abcd"],
  ["a fine-grained GitHub token", "provider_key", "github_pat_11ABCDEFG0abcdefghijkl_0123456789abcdef"],
  ["a GitLab token", "provider_key", "glpat-AbCdEfGh-0123456789"],
  ["a Slack token", "provider_key", "xoxb-123456789012-abcdefABCDEF"],
  ["an AWS access key id", "provider_key", "AKIAIOSFODNN7EXAMPLE"],
  ["a temporary AWS access key id", "provider_key", "ASIAIOSFODNN7EXAMPLE"],
  ["a Google key", "provider_key", "AIzaSyA-0123456789_abcdefghijklmnopqrs"],
  ["an xAI key", "provider_key", "xai-0123456789abcdefABCDEFghij"],
  ["a Groq key", "provider_key", "gsk_0123456789abcdefABCDEFghij"],
  ["a Hugging Face token", "provider_key", "hf_abcdefghijABCDEFGHIJabcdefghijABCD"],
  ["a key of letters alone", "provider_key", `sk-${"abcdefgh".repeat(5)}`],
  ["a key whose first digit comes late", "provider_key", `sk-svcacct-${"abcdefgh-".repeat(5)}a1`],
  ["a Vercel key", "provider_key", "vck_0123456789abcdefABCDEFghij"],
  ["an NVIDIA key", "provider_key", "nvapi-0123456789_abcdef-ABCDEF"],
  ["a Perplexity key", "provider_key", "pplx-0123456789abcdefABCDEF"],
  ["a Google access token", "provider_key", "ya29.a0AfH6SMB-0123456789_abcdef"],
  ["a bearer token", "bearer", "Bearer 0123456789abcdef"],
  ["a bearer token on the next line", "bearer", "Bearer\n 0123456789abcdef"],
  ["a bearer token after a no-break space", "bearer", "Bearer\u00a00123456789abcdef"],
  ["a bearer token in a form", "bearer", "Bearer+0123456789abcdef"],
  ["a bearer token in settings", "bearer", "bearer: 0123456789abcdef"],
  ["a bearer token of letters alone", "bearer", "Bearer abcdefghijklmnopqrst"],
  ["a bearer token with a scheme in mixed case, and padding", "bearer", "bEaReR \t abcdef0123456789.~+/-_=="],
  ["a token after the word token", "bearer", "token 0123456789abcdefABCDEF"],
  ["a JWT", "jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_"],
  ["an unsigned JWT", "jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."],
  ["an encrypted JWT", "jwt", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXYtaXYtaXY.Y2lwaGVydGV4dA.dGFn"],
  ["a private key", "private_key", pem("PRIVATE KEY")],
  ["an RSA private key", "private_key", pem("RSA PRIVATE KEY")],
  ["an encrypted private key", "private_key", pem("ENCRYPTED PRIVATE KEY")],
  ["an OpenSSH private key", "private_key", pem("OPENSSH PRIVATE KEY")],
  ["a PGP private key", "private_key", pem("PGP PRIVATE KEY BLOCK")],
  ["a private key with a digit in its label", "private_key", pem("ED25519 PRIVATE KEY")],
  [
    "an SSH2 private key",
    "private_key",
    `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n${PEM_BODY}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----`,
  ],
];

/** Tokens of services by their fixed prefix, written in parts so that no scanner takes this file for a leak. */
const mixed = (length: number, alphabet = "Ab1Cd2Ef3Gh4"): string =>
  alphabet.repeat(Math.ceil(length / alphabet.length)).slice(0, length);
const hex = (length: number): string => mixed(length, "0a1b2c3d4e5f");

const SERVICE_FORMS: readonly Form[] = [
  ["a Coder session token", "coder_token", `${mixed(10)}-${mixed(22)}`],
  ["a Stripe key", "service_token", `sk_live_${mixed(24)}`],
  ["a restricted Stripe key", "service_token", `rk_live_${mixed(24)}`],
  ["a Stripe test key", "service_token", `sk_test_${mixed(24)}`],
  ["a Stripe webhook secret", "service_token", `whsec_${mixed(32)}`],
  ["an npm token", "service_token", `npm_${mixed(36)}`],
  ["a Vault token", "service_token", `hvs.${mixed(90)}`],
  ["a batch token of Vault", "service_token", `hvb.${mixed(90)}`],
  ["an old Vault token", "service_token", `s.${mixed(24)}`],
  ["a SendGrid key", "service_token", `SG.${mixed(22)}.${mixed(43)}`],
  ["an Atlassian token", "service_token", `ATATT3x${mixed(180)}=A1B2C3D4`],
  ["a Bitbucket password", "service_token", `ATBB${mixed(32)}`],
  ["a PyPI token", "service_token", `pypi-AgEIcHlwaS5vcmc${mixed(60)}`],
  ["a Docker token", "service_token", `dckr_pat_${mixed(27)}`],
  ["a DigitalOcean token", "service_token", `dop_v1_${hex(64)}`],
  ["a Twilio key", "service_token", `SK${hex(32)}`],
  ["a Shopify token", "service_token", `shpat_${hex(32)}`],
  ["a Linear key", "service_token", `lin_api_${mixed(40)}`],
  ["a Databricks token", "service_token", `dapi${hex(32)}`],
  ["a Terraform token", "service_token", `${mixed(14)}.atlasv1.${mixed(64)}`],
  ["a Grafana token", "service_token", `glsa_${mixed(32)}_${hex(8)}`],
  ["a GitLab runner token", "service_token", `glrt-${mixed(20)}`],
  ["a Slack app token", "service_token", `xapp-1-A0123BCDE-1234567890-${hex(64)}`],
  ["a Google OAuth secret", "service_token", `GOCSPX-${mixed(28)}`],
  ["a Replicate token", "service_token", `r8_${mixed(37)}`],
  ["a Tailscale key", "service_token", `tskey-auth-${mixed(12)}-${mixed(32)}`],
  ["a Bedrock key", "service_token", `ABSK${mixed(100)}==`],
];

/** A text, and the secret in it. */
const NAMED: readonly (readonly [text: string, kind: string, secret: string])[] = [
  ["CF-Access-Client-Secret: 0a1b2c3d4e5f60718293", "secret", "0a1b2c3d4e5f60718293"],
  ['{"CF-Access-Client-Secret":"0a1b2c3d4e5f60718293"}', "secret", "0a1b2c3d4e5f60718293"],
  ["client_secret=Zx9~aB.cD-eF&grant_type=x", "secret", "Zx9~aB.cD-eF"],
  ["password=hunter2x&user=a", "secret", "hunter2x"],
  ["password: correct-horse-4", "secret", "correct-horse-4"],
  ['"password": "p@ssw0rd!"', "secret", "p@ssw0rd!"],
  ["PGPASSWORD=s3cr3t-value psql", "secret", "s3cr3t-value"],
  ["DB_PASSWORD='aB3$kk99'", "secret", "aB3$kk99"],
  ["passwd = 'abc1234'", "secret", "abc1234"],
  ["SECRET_KEY='django-insecure-1x2y3z'", "secret", "django-insecure-1x2y3z"],
  ["AccountKey=Zm9vYmFyMTIz+/A==;EndpointSuffix=x", "secret", "Zm9vYmFyMTIz+/A=="],
  [JSON.stringify({ command: JSON.stringify({ password: "hunter2x" }) }), "secret", "hunter2x"],
  ["Authorization: Basic dXNlcjpwYXNz", "basic", "dXNlcjpwYXNz"],
  ["-H 'authorization: basic YWxhZGRpbjpvcGVuc2VzYW1l'", "basic", "YWxhZGRpbjpvcGVuc2VzYW1l"],
  ["postgres://app:s3cr3t@db.example/x", "url_password", "s3cr3t"],
  ["redis://:s3cr3t@cache:6379", "url_password", "s3cr3t"],
  ["git clone https://me:abcdef@git.example/r.git", "url_password", "abcdef"],
  ["mongodb+srv://u:p%40ss@c0.mongodb.net", "url_password", "p%40ss"],
];

/** Keys without a form of their own are recognized by the name before them. */
const AZURE = "0123456789abcdef0123456789ABCDEF";
const AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/** Texts around a secret. `%` is the secret. */
const SURROUNDINGS: readonly (readonly [name: string, text: string])[] = [
  ["alone", "%"],
  ["at the start", "% is the key"],
  ["at the end", "the key is %"],
  ["in prose", "Please call it with %, then tell me."],
  ["in parentheses", "(see %)"],
  ["in Markdown", "The key `%` is *not* for you."],
  ["on a line of its own", "first line\n%\nlast line"],
  ["on a line with CRLF", "first line\r\n%\r\nlast line"],
  ["after a tab", "key\t%\tend"],
  ["in an environment file", "PORT=8787\nAPI_KEY=%\nDEBUG=1"],
  ["in a header", "x-api-key: %"],
  ["in a URL", "https://h.example/?key=%&x=1"],
  ["next to non-ASCII text", "ключ %、東京 🗼"],
];

describe("each form of a secret", () => {
  it.each(FORMS)("redacts %s in any surrounding text", (_, kind, secret) => {
    for (const [, surrounding] of SURROUNDINGS) {
      expect(redact(surrounding.replace("%", secret))).toBe(surrounding.replace("%", `[redacted:${kind}]`));
    }
  });

  it.each(FORMS)("redacts %s in a tool's JSON input, which stays valid JSON", (_, kind, secret) => {
    for (const text of [secret, `a ${secret} b`, `a\n${secret}\nb`, `a\t${secret}`, `"${secret}"`]) {
      const input = JSON.stringify({ path: ".env", content: text, list: [text, { deep: text }] });
      const clean = redact(input);
      expect(clean).not.toContain(JSON.stringify(secret).slice(1, -1));
      const expected = text.replace(secret, `[redacted:${kind}]`);
      expect(JSON.parse(clean)).toEqual({
        path: ".env",
        content: expected,
        list: [expected, { deep: expected }],
      });
    }
  });

  it.each(FORMS)("redacts %s in Markdown italics and after a name's prefix", (_, kind, secret) => {
    for (const text of [`_${secret}_`, `**_${secret}_**`, `prod_${secret}`, `prod-${secret}`]) {
      const clean = redact(text);
      expect(clean).not.toContain(secret);
      expect(clean).toContain(`[redacted:${kind}]`);
    }
  });

  it.each(FORMS)("redacts every occurrence of %s", (_, kind, secret) => {
    const marker = `[redacted:${kind}]`;
    expect(redact(`${secret} and ${secret}\n${secret}`)).toBe(`${marker} and ${marker}\n${marker}`);
  });

  // The attack: JSON writes a line break as `\n`, so a key on the next line follows a letter.
  it.each(["\\n", "\\r\\n", "\\t", "\\u000a", "\\u003D", "%3D", "%0a"])(
    "redacts a key after the escape %s",
    (escape) => {
      for (const secret of ["sk-proj-0123456789abcdef", "AKIAIOSFODNN7EXAMPLE", "Bearer 0123456789abcdef"]) {
        const clean = redact(`{"content":"KEY${escape}${secret}"}`);
        expect(clean).not.toContain(secret);
        expect(clean).toContain(`KEY${escape}[redacted:`);
      }
    },
  );

  it.each([
    `api-key: ${AZURE}`,
    `curl -H 'x-api-key: ${AZURE}'`,
    `AZURE_OPENAI_API_KEY=${AZURE}\nDEBUG=1`,
    `apiKey: "${AZURE}", model`,
    `{"api_key": "${AZURE}"}`,
    JSON.stringify({ command: JSON.stringify({ api_key: AZURE }) }),
    `--api-key ${AZURE} --debug`,
    `Ocp-Apim-Subscription-Key: ${AZURE}`,
    `aws_secret_access_key = ${AWS_SECRET}`,
    `{"access_token":"${AZURE}","expires_in":3599}`,
  ])("redacts a key without a form by its name: %s", (text) => {
    const secret = text.includes(AZURE) ? AZURE : AWS_SECRET;
    expect(redact(text)).toBe(text.replace(secret, "[redacted:provider_key]"));
  });

  it.each(SERVICE_FORMS)("Finding M13: redacts %s in any surrounding text", (_, kind, secret) => {
    for (const [name, surrounding] of SURROUNDINGS) {
      const clean = redact(surrounding.replace("%", secret));
      expect([name, clean.includes(secret.slice(4, 14))]).toEqual([name, false]);
      // After a name that tells of a key, the kind may be that of the name.
      expect(clean.replace(/redacted:\w+/, "redacted")).toBe(surrounding.replace("%", "[redacted]"));
      expect([name, clean.includes(kind) || /key/i.test(surrounding)]).toEqual([name, true]);
    }
  });

  it.each(NAMED)("Finding M13: redacts a secret by its place: %s", (text, kind, secret) => {
    expect(redact(text)).toBe(text.replace(secret, `[redacted:${kind}]`));
  });

  it("redacts several secrets of several kinds in one text", () => {
    const all = FORMS.map(([, , secret]) => secret);
    const clean = redact(all.join("\n--\n"));
    for (const secret of all) expect(clean).not.toContain(secret);
    expect(clean).toBe(FORMS.map(([, kind]) => `[redacted:${kind}]`).join("\n--\n"));
  });

  it("leaves no part of a secret within another secret", () => {
    const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    expect(redact(`Authorization: Bearer ${jwt}`)).not.toMatch(/eyJ|c2ln/);
    expect(redact("Bearer sk-proj-0123456789abcdef")).not.toContain("0123");
    expect(redact(pem(`PRIVATE KEY-----\nsk-proj-0123456789abcdef\n-----BEGIN PRIVATE KEY`))).not.toMatch(
      /0123|MIIE/,
    );
  });

  it("redacts a private key without its end line to the end of the text", () => {
    expect(redact(`before ${pem("RSA PRIVATE KEY").slice(0, 90)}`)).toBe("before [redacted:private_key]");
    expect(redact("-----BEGIN PRIVATE KEY-----")).toBe("[redacted:private_key]");
  });

  it("keeps the text between two private keys", () => {
    const key = pem("EC PRIVATE KEY");
    expect(redact(`${key}\nand\n${key}`)).toBe("[redacted:private_key]\nand\n[redacted:private_key]");
  });

  it("is idempotent", () => {
    const once = redact(FORMS.map(([, , secret]) => secret).join(" "));
    expect(redact(once)).toBe(once);
  });

  it("leaves no piece of random secrets in random texts", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const around = [" ", "\n", '"', "=", ": ", "(", "\\n", "、", "`", ","];
    forSeeds(2000, (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(list: ArrayLike<T>): T => list[between(random, 0, list.length - 1)] as T;
      const body = Array.from({ length: between(random, 30, 90) }, () => pick(alphabet)).join("");
      const prefix = pick([
        "sk-",
        "sk-ant-api03-",
        "aei_",
        "ghp_",
        "glpat-",
        "xoxb-",
        "AIza",
        "Bearer ",
        "gsk_",
      ]);
      const text = `${"word ".repeat(between(random, 0, 5))}${pick(around)}${prefix}${body}${pick(around)}end`;
      const clean = redact(text);
      for (let at = 0; at + 8 <= body.length; at += 8) expect(clean).not.toContain(body.slice(at, at + 8));
      expect(clean.endsWith("end")).toBe(true);
    });
  });
});

describe("redaction of ordinary text", () => {
  it.each([
    ["", ""],
    ["prose", "Please refactor the token bucket; bearer of good news, sk-eptics may wonder why."],
    ["a UUID", "7f3c2a10-1234-4abc-9def-000000000001"],
    ["a SHA-256", "sha256:2184a32a3bae6ad70000000000000000aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"],
    ["a commit", "commit 9fceb02d0ae598e95dc970b74767f19372d61af8"],
    ["an image", `data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA${"AAAFCAYAAACNbyblAAAA".repeat(50)}==`],
    ["a public key", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0B\n-----END PUBLIC KEY-----"],
    ["a certificate", "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0B\n-----END CERTIFICATE-----"],
    ["talk about tokens", "token internationalization and token counting/estimation of max_output_tokens"],
    ["talk about keys", "set OPENAI_API_KEY, it begins with sk- or sk-ant-; see AIza… and ghp_…"],
    ["an example key", "sk-... or sk-<your key> or Bearer <token>"],
    ["a class of CSS", ".sk-fading-circle-before-everything-else { }"],
    ["a package", "pip install sk-learn-contrib-extras"],
    ["names in C", "gsk_render_node_get_bounds(); hf_model_configuration_for_training"],
    ["a constant", "ASIA_PACIFIC ASIAPACIFICHEADQUARTERSREGION AKIA"],
    ["a risk", "risk-management-framework-overview-2024-final desk-0123456789abcdef01"],
    ["dotted names", "www.example.com eyJ.eyJ.eyJ a.b.c object.property.method"],
    ["a dashed line", "-".repeat(80)],
    ["code about keys", 'api_key = os.environ["OPENAI_API_KEY_2"]; apiKey: config.get("key1"), api_key: str'],
    [
      "prose about keys",
      "the API key internationalization-of-documents; an access token authentication-middleware",
    ],
    ["a bearer", "the bearer:\n\ninternationalization-of-documents"],
    ["code", "const { readFile } = await import('node:fs/promises'); // eyJ"],
    ["an interception's id", "01a20846-fe00-7abc-8def-0123456789ab"],
    [
      "code about passwords",
      "password = os.environ['PASSWORD']; password: str; password=None; if (!password) return; passwordField.value = x; const password = getPassword(user1); <input type=password name=p1>",
    ],
    [
      "a template of a URL",
      "postgres://$USER:$PASSWORD@host/db https://user:<password>@host http://[::1]:8080/a@b",
    ],
    [
      "URLs",
      "https://example.com:8080/@scope/pkg@1.2.3 http://localhost:3000/a?mail=x@y.example ssh://git@host:22/x",
    ],
    [
      "prose about secrets",
      "The password is required; a password: must have 8 characters. Client secret rotation, basic authentication, Basic Programming.",
    ],
    [
      "dashed words",
      "processing-internationalization abcdefghij-abcdefghijklmnopqrstuv 1234567890-1234567890123456789012",
    ],
    [
      "names with prefixes",
      "npm_config_registry npm_lifecycle_event s.toString s.replaceAll pypi-server sk_test whsec_ SG.A.B secret_name key-value",
    ],
    ["a commit and a tag", "v1.2.3-0.20240101120000-0123456789ab g0123456789 build-0123456789abcdef"],
    ["CSS and HTML", "font-weight:600;pass-through:1 data-password-toggle=1 class=basic-Layout2"],
    ["tool ids", "call_AbCdEfGhIjKlMnOpQrStUvWx toolu_01A09q90qw90lq917835lq9 resp_0123456789abcdef"],
  ])("leaves %s unchanged", (_, text) => {
    expect(redact(text)).toBe(text);
  });
});

describe("the operator's patterns", () => {
  it("match every occurrence, with or without the flag g", () => {
    for (const flags of ["", "g", "u", "gu", "gi"]) {
      const withPattern = createRedactor([new RegExp("corp-[a-z]{4}", flags)]);
      expect(withPattern("corp-abcd, corp-efgh")).toBe("[redacted:pattern], [redacted:pattern]");
    }
  });

  it("apply after the built-in patterns", () => {
    const withPattern = createRedactor([/employee \d+/u, /bericht/u]);
    expect(withPattern("employee 12 has sk-proj-0123456789abcdef, bericht")).toBe(
      "[redacted:pattern] has [redacted:provider_key], [redacted:pattern]",
    );
  });

  it("with groups do not expand dollars in the text", () => {
    expect(createRedactor([/(a)(b)/u])("$1 ab $&")).toBe("$1 [redacted:pattern] $&");
  });

  it("begin at the text's start each time, regardless of lastIndex", () => {
    const form = /x\d/gu;
    form.lastIndex = 5;
    const withPattern = createRedactor([form]);
    expect([withPattern("x1 x2"), withPattern("x1")]).toEqual([
      "[redacted:pattern] [redacted:pattern]",
      "[redacted:pattern]",
    ]);
  });
});

const plain = (text: string) => toRecordedContent(text, redact);
const KEY = "sk-proj-0123456789abcdef0123456789";

describe("toRecordedContent", () => {
  it("searches as many characters as the readers keep", () => {
    expect(MAX_TEXT).toBe(MAX_CONTENT + 4096);
  });

  it.each([0, 1, MAX_CONTENT - 1, MAX_CONTENT])("records all of %i characters", (length) => {
    expect(plain("x".repeat(length))).toEqual({ text: "x".repeat(length), truncated: false });
  });

  it.each([MAX_CONTENT + 1, MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1, 100_000])(
    "records the beginning of %i characters",
    (length) => {
      expect(plain("x".repeat(length))).toEqual({ text: "x".repeat(MAX_CONTENT), truncated: true });
    },
  );

  it("drops a surrogate pair at the cut and keeps one before it", () => {
    const x = "x".repeat(MAX_CONTENT - 2);
    expect(plain(`${x}x🗼 and more`)).toEqual({ text: `${x}x`, truncated: true });
    expect(plain(`${x}🗼 and more`)).toEqual({ text: `${x}🗼`, truncated: true });
    for (let before = 0; before < 3; before += 1) {
      const { text } = plain("x".repeat(before) + "🗼".repeat(20_000));
      expect(text.isWellFormed()).toBe(true);
      expect(text.length).toBeGreaterThan(MAX_CONTENT - 2);
    }
  });

  it("drops half of a surrogate pair that the reader left at the text's end", () => {
    const { text } = plain(`${pem("PRIVATE KEY")}${"x".repeat(MAX_TEXT - 1 - pem("PRIVATE KEY").length)}🗼`);
    expect(text.isWellFormed()).toBe(true);
  });

  it("redacts a secret at the cut before truncating", () => {
    for (let before = MAX_CONTENT - KEY.length - 2; before <= MAX_CONTENT + 1; before += 1) {
      const { text, truncated } = plain(`${"x".repeat(before - 1)} ${KEY} ${"y".repeat(5000)}`);
      expect(text).not.toContain("sk-");
      expect(text).not.toContain("0123");
      expect(truncated).toBe(true);
      expect(text.length).toBeLessThanOrEqual(MAX_CONTENT);
      expect(text.startsWith("x".repeat(before - 1))).toBe(before - 1 <= MAX_CONTENT);
    }
  });

  it.each(FORMS)("leaves no piece of %s that begins just before the cut", (_, kind, secret) => {
    const marker = `[redacted:${kind}]`;
    for (const before of [2, 6, 12, 20]) {
      const filler = "x ".repeat((MAX_CONTENT - before) / 2);
      const { text } = plain(`${filler}${secret} ${"y".repeat(9000)}`);
      const after = text.slice(filler.length);
      expect(after === "" || marker.startsWith(after) || after.startsWith(marker)).toBe(true);
    }
  });

  it("redacts a long private key that begins before the cut", () => {
    const key = `-----BEGIN RSA PRIVATE KEY-----\n${`${"A1b2".repeat(16)}\n`.repeat(200)}-----END RSA PRIVATE KEY-----`;
    const { text } = plain(`${"x".repeat(MAX_CONTENT - 100)}\n${key}`);
    expect(text).toBe(`${"x".repeat(MAX_CONTENT - 100)}\n[redacted:private_key]`);
  });

  // The attack: a long redacted secret moves the end of the searched text, with half of another secret, before the cut.
  it.each([1, 5, 10, 15, 18, 30])(
    "drops the first %i characters of a cut-off key after a long redaction",
    (length) => {
      const first = `${pem("PRIVATE KEY").replace(PEM_BODY, "A1b2".repeat(2000))}\n`;
      const filler = "x ".repeat(MAX_TEXT).slice(0, MAX_TEXT - length - first.length);
      const whole = `${first}${filler}`.slice(0, MAX_TEXT - length) + KEY;
      expect(whole.slice(0, MAX_TEXT).endsWith(KEY.slice(0, length))).toBe(true);
      // The complete text, and the text as a reader truncates it.
      for (const text of [`${whole} and more`, whole.slice(0, MAX_TEXT)]) {
        const recorded = plain(text);
        expect(recorded.text.startsWith("[redacted:private_key]\nx x x")).toBe(true);
        expect(recorded.text.includes("s")).toBe(false);
        expect(recorded.truncated).toBe(true);
      }
    },
  );

  it("records a text that is one long secret as its marker", () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${"A1b2".repeat(9000)}`;
    expect(plain(key)).toEqual({ text: "[redacted:private_key]", truncated: true });
  });
});

describe("redaction of texts made to be slow", () => {
  // The attack: a pattern that begins at every position and scans to the end each time is quadratic. One for JWTs took
  // 200 ms for 20,000 characters, which is minutes for a megabyte. These texts are long enough to hang such a pattern.
  const LENGTH = 200_000;
  const UNITS = [
    "eyJ-",
    "eyJ",
    "eyJ.",
    "eyJaaaaaaaa.",
    "eyJaaaaaaaa.eyJ-",
    "\\neyJ",
    "\\u0041eyJ-",
    "sk-",
    "sk-a",
    "aei_-",
    "bearer ",
    "bearer    ",
    "bearer\t",
    "bearer%20",
    "\\t",
    "token a",
    "token A",
    "-----BEGIN ",
    "-----BEGIN A A A A ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY----------END A ",
    "-----END PRIVATE KEY-----",
    "-",
    "a",
    " ",
    "\\",
    "%41",
    "AKIA",
    "ghp_",
    "xoxa-",
    "AIza-",
    "sk_live_",
    "SG.",
    "SG.aaaaaaaaaaaaaaaa.",
    "hvs.",
    "s.",
    "npm_",
    "a1B2c3D4e5-",
    "aA1",
    "password=",
    "password= ",
    'password:"',
    "client_secret",
    "secret_key key",
    "a://",
    "a://b:",
    "a://:",
    "a+",
    "basic ",
    "basic A",
    "Basic dXNlcjpw",
    "AAAAAAAAAAAAAA.atlasv1.",
    "xapp-1-",
    "dp.st.",
    "pass",
  ];

  it.each(UNITS)("completes for repetitions of %j", (unit) => {
    const text = unit.repeat(Math.ceil(LENGTH / unit.length));
    for (const before of ["", "-----BEGIN PRIVATE KEY", "eyJaaaaaaaa.", "bearer ", "sk-"])
      expect(redact(before + text).length).toBeGreaterThan(0);
  });

  // A ratio, because a time depends on the machine: eight times the text may cost far less than 64 times as much.
  it.each(UNITS)("Finding M13: costs time in proportion to the text for repetitions of %j", (unit) => {
    const cost = (length: number): number => {
      const text = unit.repeat(Math.ceil(length / unit.length));
      const runs = [1, 2, 3].map(() => {
        const from = performance.now();
        redact(text);
        return performance.now() - from;
      });
      return Math.min(...runs);
    };
    const [small, large] = [cost(32_000), cost(256_000)];
    expect(large).toBeLessThan(32 * Math.max(small, 4));
  });
});
