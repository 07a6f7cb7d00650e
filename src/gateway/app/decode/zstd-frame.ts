/**
 * Follows the structure of a zstd frame (RFC 8878 §3.1.1) without decoding it. Node's decoder does not report where a frame
 * ends: it decodes a second one if a piece begins with it, and ignores it otherwise.
 */
import { MAX_WINDOW_LOG } from "./coding.ts";

export type FrameState = "open" | "complete" | "invalid" | "unsupported";

export type ZstdFrame = {
  /** Takes the next bytes. `unsupported`: the frame needs a dictionary or a larger window. */
  readonly push: (bytes: Uint8Array) => FrameState;
};

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const MAX_WINDOW = 2 ** MAX_WINDOW_LOG;
const CHECKSUM_BYTES = 4;
const RLE = 1;
const RESERVED = 3;

export function createZstdFrame(): ZstdFrame {
  const head: number[] = [];
  const block: number[] = [];
  let state: FrameState = "open";
  let isHeader = true;
  let isLast = false;
  let skip = 0;

  const byte = (value: number): FrameState => {
    if (isHeader) {
      head.push(value);
      const read = readHeader(head);
      if (read === "complete") isHeader = false;
      return read === "complete" ? "open" : read;
    }
    // Behind the last block and its checksum.
    if (isLast) return "invalid";
    block.push(value);
    if (block.length < 3) return "open";
    const [low = 0, middle = 0, high = 0] = block.splice(0);
    const type = (low >> 1) & 3;
    if (type === RESERVED) return "invalid";
    isLast = (low & 1) === 1;
    skip = type === RLE ? 1 : (low >> 3) | (middle << 5) | (high << 13);
    if (isLast && ((head[4] ?? 0) & 4) !== 0) skip += CHECKSUM_BYTES;
    return isLast && skip === 0 ? "complete" : "open";
  };

  return {
    push: (bytes) => {
      for (let at = 0; at < bytes.length && (state === "open" || state === "complete");) {
        if (skip === 0) {
          state = byte(bytes[at] ?? 0);
          at += 1;
          continue;
        }
        const skipped = Math.min(skip, bytes.length - at);
        skip -= skipped;
        at += skipped;
        if (isLast && skip === 0) state = "complete";
      }
      return state;
    },
  };
}

/** `complete` once the header is. */
function readHeader(head: readonly number[]): FrameState {
  const at = head.length - 1;
  if (at < MAGIC.length && head[at] !== MAGIC[at]) return "invalid";
  const descriptor = head[4];
  if (descriptor === undefined) return "open";
  if ((descriptor & 8) !== 0) return "invalid";
  const isSingleSegment = (descriptor & 32) !== 0;
  const dictionaryAt = isSingleSegment ? 5 : 6;
  const sizeAt = dictionaryAt + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 2 ** sizeFlag;
  if (head.length < sizeAt + sizeBytes) return "open";
  if (head.slice(dictionaryAt, sizeAt).some((byte) => byte !== 0)) return "unsupported";
  const size = littleEndian(head.slice(sizeAt)) + (sizeFlag === 1 ? 256 : 0);
  const window = isSingleSegment ? size : windowSize(head[5] ?? 0);
  return window > MAX_WINDOW ? "unsupported" : "complete";
}

/** RFC 8878 §3.1.1.1.2. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

const littleEndian = (bytes: readonly number[]): number =>
  bytes.reduceRight((value, byte) => value * 256 + byte, 0);
