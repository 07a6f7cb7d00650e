/**
 * Both Workers on one port with a host each, as in a deployment: the records Worker on `localhost`, where the console is, and
 * the gateway on 127.0.0.1. A Worker in front of them stands for Cloudflare's routes.
 */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProjectConfig } from "../../tools/deploy/project-config.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { gatewayBinding } from "../../tools/deploy/gateway-binding.ts";
import type { Vars } from "../../tools/local/dev-vars.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "./bundle.ts";
import { startLocalWorkers, type LocalWorkers } from "./local-workers.ts";

const ROUTES = `export default {
  fetch(request, { CONSOLE_HOST, RECORDS, GATEWAY }) {
    return (request.headers.get("host") === CONSOLE_HOST ? RECORDS : GATEWAY).fetch(request);
  },
};`;

export type TwoHosts = {
  readonly workers: LocalWorkers;
  readonly consoleHost: string;
  readonly gatewayHost: string;
};

export type TwoHostsOptions = {
  readonly gateway: Readonly<Record<string, unknown>>;
  /** Variables of the records Worker, besides `CONSOLE`. */
  readonly records: Vars;
  /** Keys of `CONSOLE`, besides `origins`. */
  readonly console?: Readonly<Record<string, unknown>>;
};

export async function startTwoHosts(options: TwoHostsOptions): Promise<TwoHosts> {
  const folder = await mkdtemp(join(tmpdir(), "two-hosts-"));
  const [port] = await twoFreePorts();
  const [consoleHost, gatewayHost] = [`localhost:${port}`, `127.0.0.1:${port}`];
  const { env: _, ...raw } = readProjectConfig(PROJECT, "gateway", { shippedOnly: true });
  const gateway = String(raw.name);
  const { name: records } = readProjectConfig(PROJECT, "records", { shippedOnly: true });
  const console = { origins: [`http://${consoleHost}`], ...options.console };
  const front = {
    name: "routes",
    main: "routes.js",
    compatibility_date: raw["compatibility_date"],
    vars: { CONSOLE_HOST: consoleHost },
    services: [
      { binding: "RECORDS", service: records },
      { binding: "GATEWAY", service: gateway },
    ],
  };
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  await write("routes.js", ROUTES);
  const main = join(PROJECT, "src/gateway/index.ts");
  const configs = [
    await write("wrangler.routes.json", JSON.stringify(front)),
    await write(
      "wrangler.gateway.json",
      JSON.stringify({ ...raw, main, routes: undefined, vars: options.gateway }),
    ),
    writeRecordsConfig(
      folder,
      { ...options.records, CONSOLE: JSON.stringify(console) },
      { services: [gatewayBinding(gateway)] },
    ),
  ];
  return { workers: await startLocalWorkers(folder, configs, port), consoleHost, gatewayHost };
}
