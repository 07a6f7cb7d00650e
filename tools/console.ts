/** `npm run console`: builds the web console. The records Worker serves the result. */
import { buildConsole } from "./console/build.ts";

export async function main(): Promise<number> {
  const { files } = await buildConsole();
  for (const { name, bytes, gzipBytes } of files)
    process.stdout.write(
      `${String(bytes).padStart(8)} bytes, ${String(gzipBytes).padStart(6)} gzipped  ${name}\n`,
    );
  return 0;
}
