/**
 * What becomes of a message's Content-Encoding (RFC 9110 §8.4) by the time its body is read: `plain`, there is none;
 * `decoded`, the runtime undoes it in answers, so that the header no longer holds; `encoded`, it does not, and nothing
 * here can read the body.
 */
export type ContentEncoding = "plain" | "decoded" | "encoded";

export function contentEncoding(headers: Headers): ContentEncoding {
  const encoding = headers.get("content-encoding")?.trim() ?? "";
  if (encoding === "" || encoding.toLowerCase() === "identity") return "plain";
  // The runtime knows these two in lower case only, and no list of several.
  return encoding === "gzip" || encoding === "br" ? "decoded" : "encoded";
}
