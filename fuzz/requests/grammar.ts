/** Request lines, headers and bodies as hostile or broken clients write them, by a grammar of what parsers differ about. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, several, type Random } from "../random.ts";
import { CANARY, GOOD_KEYS, OWN_KEY, OWNER, PROMPT } from "./cast.ts";

export const INTERCEPTED = [
  "/openai/v1/chat/completions",
  "/openai/v1/responses",
  "/anthropic/v1/messages",
  "/own-openai/v1/chat/completions",
  "/v1/chat/completions",
  "/v1/messages",
  "/api/v2/ai-gateway/openai/v1/chat/completions",
  "/api/v2/aibridge/anthropic/v1/messages",
];
const OTHERS = [
  "/openai/v1/models",
  "/anthropic/v1/models",
  "/own-openai/v1/models",
  "/openai/v1/files/file-1",
  "/anthropic/v1/messages/count_tokens",
  "/v1/models",
  "/healthz",
  "/",
  "/nothing",
  "/api/v2/ai-gateway/sessions",
  "/api/v2/ai-gateway/explain",
];

const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "PRI",
  "get",
  "",
  "GE T",
  "POST\t",
  "P\0ST",
  "X".repeat(300),
];
const VERSIONS = [
  "HTTP/1.0",
  "HTTP/0.9",
  "HTTP/2.0",
  "HTTP/1.2",
  "http/1.1",
  "HTTP/1.1 x",
  "HTTP/11",
  "HTTP/",
  "",
  "HTTP/1.1\0",
  "ICY/1.0",
];

export function method(random: Random, usual: string): string {
  return chance(random, 0.85) ? usual : pick(random, METHODS);
}

export const version = (random: Random): string =>
  chance(random, 0.85) ? "HTTP/1.1" : pick(random, VERSIONS);

export const path = (random: Random): string => pick(random, chance(random, 0.7) ? INTERCEPTED : OTHERS);

/** Where the path goes, told in another way. */
export function target(random: Random, plain: string): string {
  const long = "a".repeat(between(random, 1000, chance(random, 0.1) ? 100_000 : 18_000));
  return pick(random, [
    `http://127.0.0.1${plain}`,
    `http://evil.example${plain}`,
    `https://user:${CANARY}@evil.example${plain}`,
    `//evil.example${plain}`,
    `/\\evil.example${plain}`,
    `/@evil.example${plain}`,
    `/x/..${plain}`,
    `/openai/v1/../..${plain}`,
    plain.replace("v1", "%76%31"),
    plain.replace("/v1", "/%2e%2e/v1"),
    plain.replace("/v1", "%2fv1"),
    `${plain}%00`,
    `${plain}%zz`,
    `${plain}\0`,
    `${plain};x=${CANARY}`,
    `${plain}/`,
    `${plain}#${CANARY}`,
    `${plain}?key=${CANARY}&api_base=http://evil.example`,
    `${plain}?${long}`,
    `/${long}`,
    `${plain} ${plain}`,
    `${plain}\t`,
    plain.slice(1),
    plain.toUpperCase(),
    `${plain}\xe4\xff`,
    "*",
    "127.0.0.1:443",
    "",
    "?",
    "http://",
    "http:///",
    "http://[::1",
  ]);
}

export type Line = readonly [name: string, value: string];

const HOSTS = [
  "",
  "x/openai/v1?",
  "evil.example",
  "127.0.0.1, evil",
  "a:b:c",
  "a@b",
  "x\\y",
  "\0",
  "[::1",
  "%2f",
  "a b",
  "ä",
  "x".repeat(5000),
];
export function hosts(random: Random): Line[] {
  if (chance(random, 0.75)) return [["Host", "127.0.0.1"]];
  return several(random, 0, 2, () => ["Host", pick(random, HOSTS)]);
}

/** Credentials that are none: malformed, unknown, cut, nearly right. None holds a good key whole. */
export function badCredentials(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  const nearly = pick(random, [
    good.slice(0, -1),
    good.slice(1),
    good.replace("Z", "z").replace("N5", "n5").replace("aei_", "aei-"),
    `aei_${CANARY}unknown`,
    good.slice(0, 20),
    `${good.slice(0, 20)} ${good.slice(20)}`,
    `${good.slice(0, 20)}\0${good.slice(20)}`,
    OWN_KEY,
  ]);
  const scheme = pick(random, [
    "Bearer ",
    "bearer ",
    "Bearer  ",
    "Bearer",
    "Basic ",
    "",
    "Bearer\t",
    "Bearer ,",
    "Bearer \0",
    "Bearer é",
    "Token ",
  ]);
  const value = pick(random, [
    nearly,
    "",
    `${nearly}, Bearer ${nearly}`,
    `"${nearly}"`,
    `${nearly}==x`,
    `${CANARY}é`,
    `${CANARY}${"x".repeat(between(random, 100, 9000))}`,
  ]);
  return pick<Line[]>(random, [
    [],
    [["Authorization", scheme + value]],
    [
      ["Authorization", scheme + value],
      ["Authorization", `Bearer ${nearly}`],
    ],
    [["X-Api-Key", value]],
    [
      ["X-Api-Key", value],
      ["Authorization", scheme + value],
    ],
    [["X-Coder-AI-Governance-Token", value]],
    [
      ["X-Coder-AI-Governance-Token", value],
      ["Authorization", `Bearer ${OWN_KEY}`],
    ],
    [["X_Api_Key", value]],
    [["Authorization ", scheme + value]],
    [
      ["Coder-Session-Token", value],
      ["Cookie", `session=${CANARY}`],
    ],
    [["Proxy-Authorization", scheme + value]],
  ]);
}

/** A good key where no identity is looked for, or in more than is one. */
export function misplacedKey(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  return pick<Line[]>(random, [
    [["Cookie", `key=${good}`]],
    [["X-Goog-Api-Key", good]],
    [["Api-Key", good]],
    [["Coder-Session-Token", good]],
    [["Proxy-Authorization", `Bearer ${good}`]],
    [["X_Api_Key", good]],
    [["Authorization", `Basic ${good}`]],
    [["Authorization", good]],
    [["Authorization", `Bearer ${good}x`]],
    [["Authorization", `Bearer ${good} ${good}`]],
    [
      ["Authorization", `Bearer ${good}`],
      ["Authorization", `Bearer ${good}`],
    ],
    [["Authorization", `Bearer ${good},`]],
    [["X-Api-Key", `${good}, ${good}`]],
    [["X-Forwarded-Authorization", `Bearer ${good}`]],
    [
      ["X-Coder-AI-Governance-Token", `${CANARY}x`],
      ["Authorization", `Bearer ${good}`],
    ],
    [["X-Coder-AI-Gateway-Key", good]],
  ]);
}

export function goodCredentials(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  return pick<Line[]>(random, [
    [["Authorization", `Bearer ${good}`]],
    [["X-Api-Key", good]],
    [["X-Coder-AI-Governance-Token", good]],
    [
      ["Authorization", `Bearer ${good}`],
      ["X-Api-Key", `${CANARY}other`],
    ],
  ]);
}

export function owners(random: Random): Line[] {
  const value = pick(random, [
    OWNER,
    OWNER.toUpperCase(),
    "",
    "nil",
    `{${OWNER}}`,
    `urn:uuid:${OWNER}`,
    `${OWNER}, ${OWNER}`,
    `${CANARY}\0`,
    `${CANARY}"\\u000a{`,
    `${OWNER}\xa0`,
    `${CANARY}${"7".repeat(between(random, 1, 20_000))}`,
  ]);
  const agent: Line = [
    "User-Agent",
    pick(random, [
      "coder-agents/v2.24.0 (linux/amd64)",
      "Coder-Agents/x",
      "curl/8",
      '\x1b[31m{"',
      "x".repeat(3000),
    ]),
  ];
  const times = chance(random, 0.2) ? 2 : 1;
  return [
    agent,
    ...Array.from({ length: times }, (): Line => ["X-Coder-Owner-Id", value]),
    ["X-Coder-Chat-Id", pick(random, [OWNER, `${CANARY}`, "x"])],
  ];
}

const ODD_NAMES = [
  "",
  " ",
  "X Y",
  "X:Y",
  "X\0",
  "X\xe4",
  "(x)",
  "X".repeat(9000),
  "__proto__",
  "constructor",
  ":path",
  "X\t",
  '"x"',
  "x[]",
];
const ODD_VALUES = [
  "",
  `${CANARY}\0`,
  `${CANARY}\r`,
  `a\rb: ${CANARY}`,
  "\xff\xfe",
  "ä".normalize("NFD").replace("\u0308", "\xa8"),
  "\x7f\x01",
  "x".repeat(70_000),
  "\t\t",
  ",",
];

export function oddHeaders(random: Random): Line[] {
  return several(random, 0, 3, () =>
    pick<Line>(random, [
      [
        "Connection",
        pick(random, [
          "close",
          "keep-alive",
          "close, x-a",
          ",",
          "authorization",
          "x-coder-owner-id, host",
          "content-length, transfer-encoding",
          "\xe4",
        ]),
      ],
      ["Expect", pick(random, ["100-continue", "200-ok", CANARY])],
      ["Upgrade", pick(random, ["websocket", "h2c", ""])],
      ["TE", "trailers, deflate"],
      ["Trailer", "Authorization"],
      ["X-Forwarded-For", `${CANARY}`],
      ["Forwarded", `for=${CANARY}`],
      ["CF-Connecting-IP", "1.2.3.4"],
      ["cf_ray", CANARY],
      ["Via", pick(random, ["1.1 ai-edge-interceptor", "1.1 x"])],
      ["Content-Encoding", pick(random, ["gzip", "identity", "br, gzip", "\0"])],
      [
        "Content-Type",
        pick(random, ["application/json", "text/plain", "multipart/form-data; boundary=x", `${CANARY}`]),
      ],
      ["Accept-Encoding", "gzip, br"],
      ["Anthropic-Version", "2023-06-01"],
      ["X-Interception-Id", CANARY],
      [pick(random, ODD_NAMES), CANARY],
      ["X-Odd", pick(random, ODD_VALUES)],
    ]),
  );
}

export function jsonBody(random: Random): string {
  const sound = JSON.stringify({
    model: pick(random, ["gpt-4o", "claude-9"]),
    stream: chance(random, 0.2),
    messages: [{ role: "user", content: PROMPT }],
  });
  if (chance(random, 0.7)) return sound;
  return pick(random, [
    "",
    sound.slice(0, between(random, 0, sound.length)),
    `[${sound}]`,
    `\xef\xbb\xbf${sound}`,
    sound.replace("{", '{"model":"x",'),
    sound.replace("gpt", "gp\xff"),
    `{"messages":${"[".repeat(300)}${"]".repeat(300)}}`,
    `${sound.slice(0, -1)},"pad":"${"x".repeat(80_000)}"}`,
    "null",
    `{"__proto__":{"model":"${PROMPT.length}"}}`,
    sound.replace("false", '"yes"'),
  ]);
}
