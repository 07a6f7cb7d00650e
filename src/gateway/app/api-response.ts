/** A response of the API routes that the gateway serves itself. */
import type { Exchange } from "./exchange.ts";

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

export const respond = ({ id }: Exchange, body: object): Response =>
  Response.json(body, { headers: { ...HEADERS, "x-interception-id": id } });
