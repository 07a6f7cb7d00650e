/** Runs the emulated provider in its own process. */
import { join } from "node:path";
import { startChild, type Child } from "./child.ts";
import { StartFailure } from "./start-failure.ts";
import { ROOT } from "../root.ts";

/** Resolves when it listens; rejects with its last error line where it exits instead. */
export async function startProvider(port: number): Promise<Child> {
  let lastError = "";
  const listening = Promise.withResolvers<void>();
  const main = join(ROOT, "tools", "emulator", "main.ts");
  const child = startChild(main, ["--port", String(port)], {
    cwd: ROOT,
    env: process.env,
    onLine: (line, stream) => {
      if (stream === "stderr") lastError = line;
    },
    onMessage: () => listening.resolve(),
  });
  const ended = child.ended.then((how) => {
    throw new StartFailure(lastError || `The emulated provider exited at its start (${how}).`);
  });
  await Promise.race([listening.promise, ended]);
  // From here on the caller watches `ended`.
  ended.catch(() => undefined);
  return child;
}
