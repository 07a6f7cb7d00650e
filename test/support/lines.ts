/** Lines of a byte stream, cut at LF alone: `node:readline` also cuts at U+2028, which a log line may hold. */
import type { Readable } from "node:stream";

export function onLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new TextDecoder();
  let rest = "";
  stream.on("data", (bytes: Uint8Array) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
