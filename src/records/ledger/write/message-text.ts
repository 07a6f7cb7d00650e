/**
 * The body of a queue message as text. The gateway sends text, which is returned unchanged. Another writer of the queue may
 * send bytes or a structured value: bytes become `{"base64":"…"}`, a value becomes JSON.
 */
export function messageText(body: unknown): string {
  if (typeof body === "string") return body;
  if (body instanceof ArrayBuffer) return JSON.stringify({ base64: toBase64(new Uint8Array(body)) });
  try {
    // undefined has no JSON.
    return JSON.stringify(body) ?? String(body);
  } catch {
    // A cycle or a bigint: no message of this product.
    return String(body);
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
