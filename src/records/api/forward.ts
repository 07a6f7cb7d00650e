/** The API routes that only the gateway can serve, on the records Worker's own host: forwarded over the binding `GATEWAY`. */
import { OWN_ROUTE_SCOPES } from "../../shared/api-routes.ts";
import { errorName } from "../../shared/operator-log.ts";
import { RecordsRefusal } from "../../shared/records-refusal.ts";

/** The gateway's entrypoint `OwnRoutes`. */
export type Gateway = { readonly fetch: (request: Request) => Promise<Response> };

/** Whether the gateway serves the path for the API's readers. `/me/spend` is for the holders of its own credentials. */
export const isForwarded = (path: string): boolean => Object.hasOwn(OWN_ROUTE_SCOPES, path.slice(1));

/**
 * Endpoint → how its caller repeats it. A call that fails may have made the change: the gateway makes it before it responds. A
 * repeated correction counts once by its position.
 */
const NOTES: Readonly<Record<string, string>> = {
  "/budgets/changes": "The change may have been made. Repeat it with the same change_id.",
  "/spend/corrections": "The corrections may have been booked. Repeat the same ones: each counts once.",
};

/**
 * Forwards the request unchanged: the gateway authorizes it again, by the same headers.
 * @param path the endpoint's.
 * @returns the gateway's response, or `gateway_unavailable`, also where the gateway's version does not have the entrypoint.
 */
export async function forwardToGateway(
  request: Request,
  path: string,
  gateway: Gateway,
): Promise<Response | RecordsRefusal> {
  try {
    const response = await gateway.fetch(request);
    // Each response of the gateway has an id. Another one is the platform's.
    if (!response.headers.has("x-interception-id")) return unavailable(path, `status ${response.status}`);
    // The headers of a fetched response cannot be changed.
    return new Response(response.body, response);
  } catch (error) {
    return unavailable(path, errorName(error));
  }
}

function unavailable(path: string, detail: string): RecordsRefusal {
  const note = NOTES[path];
  return new RecordsRefusal("gateway_unavailable", { detail, ...(note && { note, isFinal: true }) });
}
