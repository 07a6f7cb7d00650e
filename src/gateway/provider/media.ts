/**
 * The images and files in a request's body. They count by fixed figures: the length of their base64 says little about the tokens
 * that a model makes of them. Only a value in the place of a file counts as one; a text that looks like one is a text.
 */
import type { JsonBody, Range } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import type { JsonSource } from "./json-source.ts";

export type Media = {
  readonly images: number;
  readonly files: number;
  /** Bytes of the values that hold them. */
  readonly bytes: number;
};

/** The fields of a body in which a conversation, or another input, is. */
const LISTS = ["messages", "input", "image", "images", "mask", "documents", "system"] as const;
/** The keys of the values that hold an image or a file, or say where it is. */
const CONTENT_KEYS: ReadonlySet<string> = new Set(
  "data url image_url file_url file_data file_id image_file_id b64_json image mask".split(" "),
);
const MAX_KEY = 16;
/** A shorter value is an address or an id. */
const MIN_CONTENT = 512;
/** An image by its address, or by the first characters of its base64: PNG, JPEG, GIF, WebP. */
const IMAGE = /^(?:data:image\/|iVBOR|\/9j\/|\\\/9j|R0lG|UklGR)/;
const HEAD = 16;

/** Deeper than any part of a message. */
const MAX_DEPTH = 12;

export function measureMedia({ source, members }: JsonBody): Media {
  const media = { images: 0, files: 0, bytes: 0 };
  for (const name of LISTS) {
    const range = members.get(name);
    if (range === undefined) continue;
    // The field itself is the file.
    if (source.bytes[range.from] === 0x22) {
      if (CONTENT_KEYS.has(name)) add(source, name, range, media);
    } else visit(source, range.from, 0, media);
  }
  return media;
}

type Counted = { images: number; files: number; bytes: number };

/** @returns the offset after the value at `at`. */
function visit(source: JsonSource, at: number, depth: number, media: Counted): number {
  const { bytes } = source;
  if (depth > MAX_DEPTH) return skipValue(source, at);
  if (bytes[at] === 0x5b)
    return eachElement(source, at, (element) => visit(source, element, depth + 1, media));
  if (bytes[at] !== 0x7b) return skipValue(source, at);
  return eachMember(source, at, (key, from, to) => {
    const first = bytes[from];
    if (first === 0x7b || first === 0x5b) visit(source, from, depth + 1, media);
    else if (first === 0x22) {
      const end = source.endOfString(key) - 1;
      if (end - key <= MAX_KEY && CONTENT_KEYS.has(source.peek(key, end)))
        add(source, source.peek(key, end), { from, to }, media);
    }
  });
}

function add(source: JsonSource, key: string, { from, to }: Range, media: Counted): void {
  const length = to - from - 2;
  if (length === 0) return;
  const head = String.fromCharCode(...source.bytes.subarray(from + 1, Math.min(from + 1 + HEAD, to - 1)));
  const isImage = IMAGE.test(head) || (length < MIN_CONTENT && (key === "url" || key.startsWith("image")));
  if (isImage) media.images += 1;
  else media.files += 1;
  // An address is a part of the text.
  if (length >= MIN_CONTENT) media.bytes += length;
}
