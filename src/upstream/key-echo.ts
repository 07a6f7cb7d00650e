/** Whether an error answer of the provider's gives away the gateway's own key, in whole or in a long part. */

const WINDOW = 8;

/**
 * True where `text` holds any run of 16 or more characters of the key: each such run holds one of the key's aligned
 * eights. The first eight are left out, as they are the same for everybody (`sk-proj-`, `sk-ant-a`).
 */
export function echoesKey(text: string, key: string): boolean {
  if (key.length < 2 * WINDOW) return text.includes(key);
  for (let at = WINDOW; at + WINDOW <= key.length; at += WINDOW) {
    if (text.includes(key.slice(at, at + WINDOW))) return true;
  }
  return false;
}
