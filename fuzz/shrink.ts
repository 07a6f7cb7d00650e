/** Lists and texts with a part removed, the largest part first. Targets build their smaller cases with these. */
import { latin1 } from "../test/support/wire.ts";

/** The list without one half, without one quarter, and so on down to without one element. */
export function* shorter<T>(list: readonly T[]): Generator<T[]> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < list.length; at += size) yield [...list.slice(0, at), ...list.slice(at + size)];
  }
}

/** The text without some of its lines; a short text also without some of its characters. */
export function* shorterText(text: string): Generator<string> {
  const lines = text.split(/(?<=[\r\n])/);
  if (lines.length > 1) for (const fewer of shorter(lines)) yield fewer.join("");
  if (text.length <= 2000) for (const fewer of shorter(text.split(""))) yield fewer.join("");
}

/** The bytes without some of their lines; a few also without some of their bytes. */
export function* shorterBytes(bytes: Uint8Array): Generator<Uint8Array> {
  for (const fewer of shorterText(latin1(bytes))) yield new Uint8Array(Buffer.from(fewer, "latin1"));
}
