/** An R2 bucket over a folder, with the methods that the archive uses: query engines can read what was put. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** `fails`: called before each write, which fails where it returns true. An object that exists is never overwritten. */
export function folderBucket(folder: string, fails: () => boolean): R2Bucket {
  const put = async (key: string, content: ArrayBuffer | string): Promise<object | null> => {
    if (fails()) throw new Error("put: internal error (10001)");
    const path = join(folder, key);
    if (existsSync(path)) return null;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "string" ? content : new Uint8Array(content));
    return { key };
  };
  const head = (key: string): Promise<object | null> =>
    Promise.resolve(existsSync(join(folder, key)) ? { key } : null);
  return { put, head } as unknown as R2Bucket;
}
