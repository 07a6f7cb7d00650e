/** Reads a request body and reports its size, its digest and the time over which it arrived. */
import type { Action } from "./env.ts";
import type { Upload } from "./protocol.ts";

export const upload: Action = async ({ request }) => {
  const digest = new crypto.DigestStream("SHA-256");
  const hashed = digest.getWriter();
  let bytes = 0;
  let chunks = 0;
  let firstAt: number | null = null;
  let lastAt = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    lastAt = Date.now();
    firstAt ??= lastAt;
    bytes += chunk.byteLength;
    chunks += 1;
    await hashed.write(chunk);
  }
  await hashed.close();
  const sha256 = Array.from(new Uint8Array(await digest.digest), (byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  const body: Upload = { bytes, chunks, sha256: sha256.join(""), spreadMs: lastAt - (firstAt ?? lastAt) };
  return Response.json(body);
};
