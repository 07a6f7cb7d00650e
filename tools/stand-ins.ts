/**
 * `npm run stand-ins`: a Coder deployment and a Cloudflare Access team on this machine, as far as an interceptor asks
 * them, so that every recipe of docs/recipes.md can be tried without either. Everybody here is made up.
 */
import { parseArgs } from "node:util";
import { startFakeCoder, type CoderUser } from "../test/support/fake-coder.ts";
import { AUDIENCE, startFakeIssuer } from "../test/support/fake-issuer.ts";
import { interruption } from "./local/interruption.ts";
import { portNumber, requireFree } from "./local/ports.ts";
import { sentenceOf } from "./local/start-failure.ts";

const HELP = `Usage: npm run -s stand-ins -- [--coder-port 8791] [--access-port 8792]

A made-up Coder deployment and a made-up Cloudflare Access team, for the recipes in docs/recipes.md. Ctrl-C ends both.
`;

type Resident = { readonly token: string; readonly user: Partial<CoderUser>; readonly is: string };

/** Their tokens are public and open nothing but this stand-in. */
const RESIDENTS: readonly Resident[] = [
  {
    token: "LocalAgent-coderagentscoderagents",
    user: { id: "0a6e2c14-5d7b-4e1f-9a3c-2b4d6f8091a2", username: "coder-agents", is_service_account: true },
    is: "a service account",
  },
  {
    token: "LocalAlice-alicealicealicealiceal",
    user: { id: "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5", username: "alice" },
    is: "a user",
  },
  {
    token: "LocalBobby-bobbybobbybobbybobbybo",
    user: { id: "91b7d3f5-2468-4ace-b135-790246813579", username: "bob", status: "suspended" },
    is: "a user who is suspended",
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
    await requireFree(ports.coder, "--coder-port", "the stand-in of Coder");
    await requireFree(ports.access, "--access-port", "the stand-in of Access");
    const coder = await startFakeCoder(ports.coder);
    const access = await startFakeIssuer("team", ports.access);
    for (const { token, user } of RESIDENTS) coder.addUser(user, token);
    process.stdout.write(introduction(coder.url, access.url));
    await interrupted.happened;
    await Promise.all([coder.close(), access.close()]);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** Undefined when help is asked for. */
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
  const residents = RESIDENTS.map(
    ({ token, user, is }) => `  ${token}  ${user.username}, ${is}\n    id ${user.id}\n`,
  );
  return `A stand-in of Coder on ${coder}. Session tokens:
${residents.join("")}
A stand-in of a Cloudflare Access team on ${access}, for the audience ${AUDIENCE}.
Whoever asks is logged in: curl "${access}/login?email=alice@example.com"

Ctrl-C ends both.
`;
}
