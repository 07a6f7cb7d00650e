/** Request smuggling: requests with another inside or after them, framed so that two parsers may split them differently. */
import { chance, pick, type Random } from "../random.ts";
import { SMUGGLED } from "./canaries.ts";
import { validCredentials } from "./credentials.ts";
import { owners, type Line } from "./fields.ts";
import { serialize } from "./request.ts";

type Framing = readonly [lines: readonly Line[], body: string];

/** The request that must not reach a provider. It has no key, and no other request has its path. */
function inner(random: Random): string {
  const more = chance(random, 0.5) ? owners(random) : [];
  return serialize({
    first: `GET /openai/v1/models/${SMUGGLED} HTTP/1.1`,
    lines: [["Host", "127.0.0.1"], ...more],
    body: "",
  });
}

const CODINGS = [
  "chunked",
  "xchunked",
  "chunked, identity",
  "\tchunked",
  "chunked\x0b",
  "Chunked",
  "identity",
];

const PATHS = [
  "/openai/v1/chat/completions",
  "/openai/v1/files",
  "/openai/v1/models",
  "/anthropic/v1/messages",
];

/** The known attacks: conflicting lengths and transfer codings (CL.TE, TE.CL, TE.TE), and pipelined requests. */
export function smuggler(random: Random): string {
  const hidden = inner(random);
  const [lines, body] = pick(random, framings(hidden, pick(random, CODINGS)));
  const path = pick(random, PATHS);
  const outer = serialize({
    first: `${chance(random, 0.8) ? "POST" : "GET"} ${path} HTTP/1.1`,
    lines: [["Host", "127.0.0.1"], ...validCredentials(random), ...lines],
    body,
  });
  return outer + (chance(random, 0.3) ? hidden : "");
}

function framings(hidden: string, coding: string): readonly Framing[] {
  const length = String(hidden.length);
  return [
    ...conflictingFramings(hidden, coding),
    [[["Content-Length", length]], hidden],
    [[["Content-Length", "0"]], hidden],
    [[], hidden],
    [[["Content-Length ", length]], hidden],
    [[["Transfer-Encoding", "chunked"]], `${hidden.length.toString(16)};a=\n${hidden}\r\n0\r\n\r\n${hidden}`],
    [[["Transfer-Encoding", "chunked"]], `0\r\n${hidden}`],
    [
      [
        ["Content-Length", length],
        ["Expect", "100-continue"],
      ],
      hidden,
    ],
    [
      [
        ["Connection", "Content-Length"],
        ["Content-Length", length],
      ],
      hidden,
    ],
    [[["X-Split", `a\r\n\r\n${hidden}`]], ""],
  ];
}

/** Two framing headers that disagree. */
function conflictingFramings(hidden: string, coding: string): readonly Framing[] {
  const chunks = `0\r\n\r\n${hidden}`;
  return [
    [
      [
        ["Content-Length", String(chunks.length)],
        ["Transfer-Encoding", coding],
      ],
      chunks,
    ],
    [
      [
        ["Transfer-Encoding", coding],
        ["Content-Length", "4"],
      ],
      `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    ],
    [
      [
        ["Transfer-Encoding", "chunked"],
        ["Transfer-Encoding", coding],
      ],
      chunks,
    ],
    [
      [
        ["Content-Length", "0"],
        ["Content-Length", String(hidden.length)],
      ],
      hidden,
    ],
  ];
}
