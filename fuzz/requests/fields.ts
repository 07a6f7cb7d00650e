/** Headers that parsers and proxies interpret differently; valid and invalid owner assertions. */
import { between } from "../../test/support/rechunk.ts";
import { utf8 } from "../../test/support/wire.ts";
import { chance, pick, several, type Random } from "../random.ts";
import { CANARY, OWNER } from "./canaries.ts";

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

/** In UTF-8: a line separator, a C1 terminal escape, a right-to-left override and a zero-width space. */
export const UNSAFE: string = utf8('\u2028\u009b31m\u202e\u200b{"}');

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
      UNSAFE,
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
