/** Body framing: false lengths, transfer codings that parsers read differently, valid and broken chunks. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, type Random } from "../random.ts";
import type { Line } from "./fields.ts";

export type Framed = { readonly lines: readonly Line[]; readonly bytes: string };

/** Each character is one byte. */
export function framed(random: Random, body: string): Framed {
  const kind = random();
  if (kind < 0.5) return { lines: [["Content-Length", String(body.length)]], bytes: body };
  if (kind < 0.6) return { lines: lengths(random, body.length), bytes: body };
  if (kind < 0.8) return { lines: [["Transfer-Encoding", "chunked"]], bytes: chunked(random, body) };
  if (kind < 0.88) return { lines: codings(random), bytes: chunked(random, body) };
  if (kind < 0.95) return { lines: both(random, body.length), bytes: chunked(random, body) };
  return { lines: [], bytes: body };
}

function lengths(random: Random, length: number): Line[] {
  const value = pick(random, [
    "0",
    String(length + 1),
    String(length + 1000),
    String(Math.max(0, length - 1)),
    "-1",
    `+${length}`,
    `0x${length.toString(16)}`,
    `${length} `,
    ` ${length}`,
    `${length}, ${length}`,
    "9".repeat(20),
    "9".repeat(400),
    "1e3",
    "",
    "abc",
    `${length}\0`,
    `0${length}`,
    "18446744073709551616",
  ]);
  const line: Line = [
    pick(random, ["Content-Length", "content-length", "Content-Length ", "Content_Length"]),
    value,
  ];
  return chance(random, 0.3)
    ? [line, ["Content-Length", pick(random, [String(length), "0", value])]]
    : [line];
}

const CODINGS = [
  "Chunked",
  "chunked, chunked",
  "chunked, identity",
  "identity",
  "gzip, chunked",
  "xchunked",
  "chunked;x",
  "\tchunked",
  "chunked\x0b",
  '"chunked"',
  "",
  "chunked\0",
  "identity, chunked",
];

function codings(random: Random): Line[] {
  const line: Line = [
    pick(random, [
      "Transfer-Encoding",
      "transfer-encoding",
      "Transfer-Encoding ",
      "Transfer_Encoding",
      " Transfer-Encoding",
    ]),
    pick(random, CODINGS),
  ];
  return chance(random, 0.3) ? [line, ["Transfer-Encoding", "chunked"]] : [line];
}

function both(random: Random, length: number): Line[] {
  const lines: Line[] = [
    ["Transfer-Encoding", chance(random, 0.6) ? "chunked" : pick(random, CODINGS)],
    ["Content-Length", pick(random, ["0", "3", String(length), String(length + 40)])],
  ];
  return chance(random, 0.5) ? lines : lines.toReversed();
}

export function chunked(random: Random, body: string): string {
  const half = between(random, 0, body.length);
  const pieces = [body.slice(0, half), body.slice(half)].filter((piece) => piece !== "");
  const valid = random() < 0.6;
  const chunks = pieces.map((piece) => chunk(random, piece, valid));
  return chunks.join("") + (valid ? "0\r\n\r\n" : lastChunk(random));
}

function chunk(random: Random, piece: string, valid: boolean): string {
  const size = piece.length.toString(16);
  if (valid) return `${size}\r\n${piece}\r\n`;
  const declared = pick(random, [
    size.toUpperCase(),
    `0${size}`,
    `${size};x=y`,
    `${size} `,
    `-${size}`,
    `0x${size}`,
    `${(piece.length + 5).toString(16)}`,
    "ffffffffffffffff1",
    "",
    "zz",
    `${size}\0`,
    `1${size}`,
  ]);
  return `${declared}${pick(random, ["\r\n", "\r\n", "\n", "\r", ""])}${piece}${pick(random, ["\r\n", "\n", "", "x\r\n"])}`;
}

const lastChunk = (random: Random): string =>
  pick(random, [
    "0\r\n\r\n",
    "0\r\n",
    "",
    "00\r\n\r\n",
    "0;x\r\n\r\n",
    "0\n\n",
    "0\r\nX-Trailer: a\r\nContent-Length: 5\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "-0\r\n\r\n",
  ]);
