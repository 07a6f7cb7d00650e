/** TCP ports of 127.0.0.1. */
import { createServer } from "node:net";
import { StartFailure } from "./start-failure.ts";

/** The port that an option names. Throws a StartFailure where it is not a port number. */
export function portNumber(option: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new StartFailure(`${option} must be a number from 1 to 65535, not ${JSON.stringify(text)}.`);
}

/** Rejects with a StartFailure that names the port and the option for another one. */
export async function requireFree(port: number, option: string, what: string): Promise<void> {
  try {
    await (await bindPort(port)).release();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const why = code === "EADDRINUSE" ? "is in use" : `cannot be used (${String(code)})`;
    throw new StartFailure(`Port ${port} for ${what} ${why}; choose another with ${option} <number>.`);
  }
}

/** Two different ports that are free now. */
export async function twoFreePorts(): Promise<readonly [number, number]> {
  const first = await bindPort(0);
  const second = await bindPort(0);
  await Promise.all([first.release(), second.release()]);
  return [first.port, second.port];
}

type BoundPort = { readonly port: number; readonly release: () => Promise<void> };

function bindPort(port: number): Promise<BoundPort> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const release = (): Promise<void> => new Promise((done) => server.close(() => done()));
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      resolve({ port: typeof address === "object" && address !== null ? address.port : port, release });
    });
  });
}
