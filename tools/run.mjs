/**
 * `node tools/run.mjs <command>`: starts tools/<command>.ts. Plain JavaScript, so that it also runs where the
 * TypeScript beside it would not, and can say why in a sentence.
 */
import { existsSync } from "node:fs";

const COMMANDS = [
  "start",
  "demo",
  "keys",
  "report",
  "explain",
  "stand-ins",
  "replay",
  "hold",
  "verify",
  "export",
  "erase",
  "reprice",
].concat(
  ["check-config", "deploy", "probe", "openapi", "tables", "architecture", "language"],
  ["console", "secrets", "size", "sbom", "audit", "notices", "release"],
);
const command = process.argv[2] ?? "";

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

if (!COMMANDS.includes(command)) fail(`Usage: node tools/run.mjs ${COMMANDS.join("|")}`);
if (!existsSync(new URL("../node_modules/wrangler/bin/wrangler.js", import.meta.url))) {
  fail("Wrangler is not installed here; run `npm ci` first.");
}
if (!process.features.typescript) {
  fail(`Node ${process.versions.node} is too old to run this; use the npm script, or Node 22.18 or newer.`);
}
process.argv.splice(2, 1);
try {
  const { exitOnClosedPipe } = await import("./closed-pipe.ts");
  exitOnClosedPipe();
  const { main } = await import(`./${command}.ts`);
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  fail(error instanceof Error ? (process.env.DEBUG ? error.stack : error.message) : String(error));
}
