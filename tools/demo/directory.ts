/** The directory of the demonstration: `GET /api/v2/users/{id}` as Coder has it, for the invented users. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PEOPLE } from "./people.ts";

export type DirectoryServer = { readonly url: string; readonly close: () => Promise<void> };

export async function startDirectory(): Promise<DirectoryServer> {
  const server = createServer((request, response) => {
    const id = /^\/api\/v2\/users\/([^/]+)$/.exec(request.url ?? "")?.[1];
    const person = PEOPLE.find((one) => one.id === id);
    response.writeHead(person ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(person ?? { message: "Resource not found." }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
