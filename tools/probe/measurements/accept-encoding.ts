/** Whether the gateway's `Accept-Encoding: identity` arrives at the provider. */
import type { SeenHeaders } from "../echo/protocol.ts";
import { asAssumed, define, differs, type Finding } from "../measurement.ts";

export function assessEncoding({ headers, clientAcceptEncoding }: SeenHeaders): Finding {
  const header = headers.find(([name]) => name === "accept-encoding")?.[1] ?? "absent";
  const measured =
    clientAcceptEncoding === null
      ? `header: ${header}`
      : `sent: ${clientAcceptEncoding}; header after the edge of the echo: ${header}`;
  return (clientAcceptEncoding ?? header) === "identity"
    ? asAssumed(measured)
    : differs(
        measured,
        "a provider may compress: docs/limits.md must say that a compressed stream arrives as its encoder flushes",
      );
}

export const acceptEncoding = define<SeenHeaders>({
  question: "Does `Accept-Encoding: identity` arrive at the provider?",
  assumed: "yes (src/gateway/upstream/request-headers.ts)",
  phase: "quick",
  requests: 1,
  measure: ({ echo }) => echo.call("headers"),
  assess: assessEncoding,
});
