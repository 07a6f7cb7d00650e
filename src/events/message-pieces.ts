/**
 * A queue message as log lines: the last resort for a message that the consumer cannot read or store. Logpush keeps 16,384
 * characters of one run, so a long message becomes several pieces, which `npm run replay` joins again.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
import { escapeUnsafe, truncatePrinted } from "../shared/log-line.ts";
import { FALLBACK_MESSAGE } from "./fallback-log.ts";

export type MessagePiece = {
  /** The message's id in its queue. */
  readonly id: string;
  /** Zero-based index. */
  readonly piece: number;
  readonly pieces: number;
  readonly text: string;
};

/** Printed characters of one piece's text: two lines fit into what Logpush keeps of one run. */
const PRINTED_CHARACTERS = 7000;

/** The text in its pieces, at least one. */
export function toPieces(id: string, text: string, max = PRINTED_CHARACTERS): readonly MessagePiece[] {
  const texts: string[] = [];
  for (let rest = text; texts.length === 0 || rest !== "";) {
    // Only the next characters can be part of the piece: a printed character is at most one of the text.
    const piece = truncatePrinted(rest.slice(0, max), max);
    texts.push(piece);
    rest = rest.slice(piece.length);
  }
  return texts.map((each, piece) => ({ id, piece, pieces: texts.length, text: each }));
}

const BEGIN = `{"message":${JSON.stringify(FALLBACK_MESSAGE)},"queue_message":`;

export function toPieceLine({ id, piece, pieces, text }: MessagePiece): string {
  return escapeUnsafe(
    `${BEGIN}${JSON.stringify(id)},"piece":${piece},"pieces":${pieces},"text":${JSON.stringify(text)}}`,
  );
}

/** The piece in a parsed line; null where the line holds none. */
export function readPieceLine(line: unknown): MessagePiece | null {
  const { queue_message: id, piece, pieces, text } = (line ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || typeof text !== "string") return null;
  if (!Number.isSafeInteger(piece) || !Number.isSafeInteger(pieces)) return null;
  return { id, piece: piece as number, pieces: pieces as number, text };
}

/** The text, or null where a piece is missing. The pieces are those of one message, in any order, some perhaps repeated. */
export function joinPieces(pieces: readonly MessagePiece[]): string | null {
  const texts = new Map(pieces.map(({ piece, text }) => [piece, text]));
  const count = pieces[0]?.pieces ?? 0;
  let joined = "";
  for (let at = 0; at < count; at += 1) {
    const text = texts.get(at);
    if (text === undefined) return null;
    joined += text;
  }
  return joined;
}
