/** The fake provider that all variants call, in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onLines } from "../test/support/lines.ts";

export type Provider = { readonly url: string; stop(): void };

export async function startProvider(): Promise<Provider> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const port = await new Promise<string>((resolve, reject) => {
    onLines(child.stdout, resolve);
    void once(child, "exit").then(() => reject(new Error("the fake provider exited")));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => void child.kill() };
}
