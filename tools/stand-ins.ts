/**
 * `npm run stand-ins`: a fake Coder deployment and a fake Cloudflare Access team on this machine, with the endpoints that
 * the gateway queries. Every recipe of docs/recipes.md can be tried with them. All users are made up.
 */
import { parseArgs } from "node:util";
import { startFakeCoder, type CoderUser } from "../test/support/fake-coder.ts";
import { AUDIENCE, startFakeIssuer } from "../test/support/fake-issuer.ts";
import { interruption } from "./local/interruption.ts";
import { portNumber, requireFree } from "./local/ports.ts";
import { sentenceOf } from "./local/start-failure.ts";

const HELP = `Usage: npm run -s stand-ins -- [--coder-port 8791] [--access-port 8792]

Runs a fake Coder deployment and a fake Cloudflare Access team, for the recipes in docs/recipes.md. Ctrl-C stops both.
`;

type FakeUser = {
  readonly token: string;
  readonly user: Partial<CoderUser>;
  readonly description: string;
};

/** The users of the fake Coder. Their tokens are public, and no other service accepts them. */
const USERS: readonly FakeUser[] = [
  {
    token: "LocalAgent-coderagentscoderagents",
    user: { id: "0a6e2c14-5d7b-4e1f-9a3c-2b4d6f8091a2", username: "coder-agents", is_service_account: true },
    description: "a service account",
  },
  {
    token: "LocalAlice-alicealicealicealiceal",
    user: { id: "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5", username: "alice" },
    description: "a user",
  },
  {
    token: "LocalBobby-bobbybobbybobbybobbybo",
    user: { id: "91b7d3f5-2468-4ace-b135-790246813579", username: "bob", status: "suspended" },
    description: "a user who is suspended",
  },
];

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupted = interruption();
  try {
    const ports = readArguments(args);
    if (ports === undefined) {
      process.stdout.write(HELP);
      return 0;
    }
    await requireFree(ports.coder, "--coder-port", "the fake Coder");
    await requireFree(ports.access, "--access-port", "the fake Access team");
    const coder = await startFakeCoder(ports.coder);
    const access = await startFakeIssuer("team", ports.access);
    for (const { token, user } of USERS) coder.addUser(user, token);
    process.stdout.write(introduction(coder.url, access.url));
    await interrupted.happened;
    await Promise.all([coder.close(), access.close()]);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** @returns the ports; undefined for `--help`. */
function readArguments(
  args: readonly string[],
): { readonly coder: number; readonly access: number } | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "coder-port": { type: "string", default: "8791" },
      "access-port": { type: "string", default: "8792" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    coder: portNumber("--coder-port", values["coder-port"]),
    access: portNumber("--access-port", values["access-port"]),
  };
}

function introduction(coder: string, access: string): string {
  const users = USERS.map(
    ({ token, user, description }) => `  ${token}  ${user.username}, ${description}\n    id ${user.id}\n`,
  );
  return `A fake Coder deployment on ${coder}. Session tokens:
${users.join("")}
A fake Cloudflare Access team on ${access}, for the audience ${AUDIENCE}.
To log in as any user: curl "${access}/login?email=alice@example.com"

Ctrl-C stops both.
`;
}
