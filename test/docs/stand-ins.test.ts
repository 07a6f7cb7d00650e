/** `npm run stand-ins`: the printed users exist, and so do the users of docs/recipes.md. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { twoFreePorts } from "../../tools/local/ports.ts";

const ROOT = fileURLToPath(import.meta.resolve("../.."));
const RECIPES = readFileSync(fileURLToPath(import.meta.resolve("../../docs/recipes.md")), "utf8");

let child: ReturnType<typeof start>;
let printed = "";
let [coder, access] = ["", ""];

const start = (args: readonly string[]) =>
  spawn(process.execPath, ["tools/run.mjs", "stand-ins", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });

beforeAll(async () => {
  const [coderPort, accessPort] = await twoFreePorts();
  child = start(["--coder-port", String(coderPort), "--access-port", String(accessPort)]);
  [coder, access] = [`http://127.0.0.1:${coderPort}`, `http://127.0.0.1:${accessPort}`];
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    if (printed.includes("Ctrl-C")) break;
  }
});
afterAll(() => void child.kill("SIGKILL"));

const user = async (token: string): Promise<unknown> =>
  (await fetch(`${coder}/api/v2/users/me`, { headers: { "coder-session-token": token } })).json();

describe("the stand-ins", () => {
  it("return each printed user for its token", async () => {
    const users = [...printed.matchAll(/^ {2}(\S+) {2}([\w-]+), .*\n {4}id (\S+)$/gm)];
    expect(users.map(([, , name]) => name)).toEqual(["coder-agents", "alice", "bob"]);
    for (const [, token = "", username, id] of users)
      expect(await user(token)).toMatchObject({
        id,
        username,
        is_service_account: username === "coder-agents",
      });
  });

  it("have the users of docs/recipes.md", () => {
    const tokens = new Set(RECIPES.match(/\bLocal\w{5}-\w{22}\b/g));
    expect(tokens.size).toBe(3);
    for (const token of tokens) expect(printed).toContain(token);
    const owners = RECIPES.match(/(?<=(?:ALICE=|X-Coder-Owner-Id: ))[0-9a-f-]{36}/g) ?? [];
    expect(owners.length).toBeGreaterThan(2);
    for (const id of owners) expect(printed).toContain(id);
  });

  it("issue a token for the printed audience, with the same user id for the same email address", async () => {
    const login = async (): Promise<string> =>
      (await fetch(`${access}/login?email=alice@example.com`)).text();
    const [first, second] = [decodeJwt(await login()), decodeJwt(await login())];
    expect(first).toMatchObject({ iss: access, email: "alice@example.com", sub: second.sub });
    expect(printed).toContain(`for the audience ${String(first.aud)}.`);
    expect(RECIPES).toContain(`"audience":"${String(first.aud)}"`);
  });

  it("fail if a port is in use", async () => {
    const second = start(["--coder-port", coder.split(":")[2] ?? ""]);
    let errors = "";
    second.stderr.on("data", (chunk) => (errors += String(chunk)));
    const [code] = (await once(second, "close")) as [number];
    expect([code, errors]).toEqual([1, expect.stringContaining("for the fake Coder is in use")]);
  });

  it("exit with 0 on SIGINT", async () => {
    const ended = once(child, "exit");
    child.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  });
});
