/**
 * The images and files in a request's body, and the items that stand for further input. Images and files count by fixed figures: the
 * length of their base64 says little about the tokens that a model makes of them. A text in any other place counts as a text.
 */
import { parseRange, type JsonBody, type Range } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import type { JsonSource } from "./json-source.ts";

export type Media = {
  readonly images: number;
  readonly files: number;
  /** Bytes of the values that hold them. */
  readonly bytes: number;
  /** An item stands for one that the provider stores, or brings tools along. */
  readonly hasHiddenInput: boolean;
};

/** The fields of a body in which a conversation, or another input, is. */
const LISTS = ["messages", "input", "image", "images", "mask", "documents", "system"] as const;
/** The fields that are an image themselves. */
const IMAGE_FIELDS: ReadonlySet<string> = new Set(["image", "mask"]);

/** Keys of values that are an image or a file, or say where it is, by the key of the object that has them, or its `type`. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  data: ["base64", "input_audio"],
  url: ["image_url", "url", "image", "file", "document"],
  image_url: ["input_image", "image_url", "computer_screenshot"],
  file_data: ["input_file", "file"],
  file_url: ["input_file", "file"],
  file_id: ["input_image", "input_file", "file", "image_url", "computer_screenshot"],
};
const KEYS: ReadonlySet<string> = new Set(["type", ...Object.keys(PLACES)]);
/** The client's own data in a tool call: no provider reads a file there. */
const CLIENT_DATA: ReadonlySet<string> = new Set(["input", "arguments"]);
/** Items of the Responses API. */
const HIDDEN_ITEMS: ReadonlySet<unknown> = new Set(["item_reference", "additional_tools"]);

/** A shorter value is an address or an id. */
const MIN_CONTENT = 512;
/** An image by its address, or by the first characters of its base64: PNG, JPEG, GIF, WebP. */
const IMAGE = /^(?:data:image\/|iVBOR|\/9j\/|\\\/9j|R0lG|UklGR)/;
const HEAD = 16;
/** Deeper than any part of a message. */
const MAX_DEPTH = 12;
/** Each character of an escaped key takes six bytes. */
const MAX_KEY = 6 * 16;

type Counted = { images: number; files: number; bytes: number; hasHiddenInput: boolean };

export function measureMedia({ source, members }: JsonBody): Media {
  const media: Counted = { images: 0, files: 0, bytes: 0, hasHiddenInput: false };
  for (const name of LISTS) {
    const range = members.get(name);
    if (range === undefined) continue;
    const isText = source.bytes[range.from] === 0x22;
    if (isText && IMAGE_FIELDS.has(name)) add(source, name, range, media);
    else if (!isText) visit(source, range.from, { depth: 0, under: name }, media);
  }
  return media;
}

/** `under`: the key of the value. */
type PlaceInBody = { readonly depth: number; readonly under: string };

/** @returns the offset after the value at `at`. */
function visit(source: JsonSource, at: number, { depth, under }: PlaceInBody, media: Counted): number {
  const { bytes } = source;
  if (depth > MAX_DEPTH) return skipValue(source, at);
  if (bytes[at] === 0x5b)
    return eachElement(source, at, (element) => visit(source, element, { depth: depth + 1, under }, media));
  if (bytes[at] !== 0x7b) return skipValue(source, at);
  const found: (readonly [key: string, value: Range])[] = [];
  let type: unknown;
  const end = eachMember(source, at, (key, from, to) => {
    const name = shortKey(source, key);
    if (name === null) return;
    const first = bytes[from];
    if (first === 0x7b || first === 0x5b) {
      if (!CLIENT_DATA.has(name)) visit(source, from, { depth: depth + 1, under: name }, media);
    } else if (first === 0x22 && KEYS.has(name)) {
      if (name === "type") type = parseRange(source, { from, to });
      else found.push([name, { from, to }]);
    }
  });
  if (HIDDEN_ITEMS.has(type)) media.hasHiddenInput = true;
  for (const [name, value] of found) {
    const places = PLACES[name] ?? [];
    if (places.includes(under) || (typeof type === "string" && places.includes(type)))
      add(source, name, value, media);
  }
  return end;
}

/** The key at `at`, with its escapes resolved; null where it is longer than those that are looked for. */
export function shortKey(source: JsonSource, at: number): string | null {
  const end = source.endOfString(at);
  if (end - 1 - at > MAX_KEY) return null;
  const key = parseRange(source, { from: at - 1, to: end });
  return typeof key === "string" ? key : null;
}

function add(source: JsonSource, key: string, { from, to }: Range, media: Counted): void {
  const length = to - from - 2;
  if (length === 0) return;
  const head = String.fromCharCode(...source.bytes.subarray(from + 1, Math.min(from + 1 + HEAD, to - 1)));
  const isImage = IMAGE.test(head) || (length < MIN_CONTENT && /^(?:url|image)/.test(key));
  if (isImage) media.images += 1;
  else media.files += 1;
  // An address is a part of the text.
  if (length >= MIN_CONTENT) media.bytes += length;
}
