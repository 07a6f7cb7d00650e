/** Runs the emulated provider as a process of its own. */
import { join } from "node:path";
import { startChild, type Child } from "./child.ts";
import { StartFailure } from "./start-failure.ts";
import { ROOT } from "./wrangler.ts";

/** Resolves when it listens; rejects with its own last words when it ends instead. */
export async function startProvider(port: number): Promise<Child> {
  let lastWords = "";
  const listening = Promise.withResolvers<void>();
  const main = join(ROOT, "tools", "emulator", "main.ts");
  const child = startChild(main, ["--port", String(port)], {
    cwd: ROOT,
    env: process.env,
    onLine: (line, stream) => {
      if (stream === "stderr") lastWords = line;
    },
    onMessage: () => listening.resolve(),
  });
  const ended = child.ended.then((how) => {
    throw new StartFailure(lastWords || `The emulated provider ended as it started (${how}).`);
  });
  await Promise.race([listening.promise, ended]);
  // From here on its end is the caller's business, who watches `ended` itself.
  ended.catch(() => undefined);
  return child;
}
