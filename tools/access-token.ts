/** The service token with which the commands pass Cloudflare Access in front of the records API. */
import { isLoopback } from "./admin-token.ts";
import { StartFailure } from "./local/start-failure.ts";

const ID = "CF_ACCESS_CLIENT_ID";
const SECRET = "CF_ACCESS_CLIENT_SECRET";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The two headers of the service token for requests to this address; none without the variables.
 * @throws StartFailure where one variable is missing, has spaces or control characters, or would travel unencrypted. The
 * messages never contain a value.
 */
export function accessHeaders(url: string, env: Env = process.env): Readonly<Record<string, string>> {
  const id = env[ID] ?? "";
  const secret = env[SECRET] ?? "";
  if (id === "" && secret === "") return {};
  if (id === "" || secret === "")
    throw new StartFailure(`${id === "" ? ID : SECRET} is required when ${id === "" ? SECRET : ID} is set.`);
  for (const [name, value] of [
    [ID, id],
    [SECRET, secret],
  ] as const) {
    if (!/^[\x21-\x7e]+$/.test(value))
      throw new StartFailure(`${name} must have no spaces and no line breaks.`);
  }
  if (new URL(url).protocol !== "https:" && !isLoopback(url))
    throw new StartFailure(`${ID} and ${SECRET} are sent only over https: correct --url, or unset them.`);
  return { "cf-access-client-id": id, "cf-access-client-secret": secret };
}
