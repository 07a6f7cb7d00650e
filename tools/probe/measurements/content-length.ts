/** Whether a client that requests no compression gets the provider's Content-Length. */
import { asAssumed, define, differs, type Finding } from "../measurement.ts";

const BYTES = 20_000;
const ROUTES = ["chat", "control"] as const;
const NAMES = { chat: "observed", control: "passthrough" } as const;

export type Lengths = readonly (readonly [route: (typeof ROUTES)[number], contentLength: string | null])[];

export function assessLengths(lengths: Lengths): Finding {
  const measured = lengths.map(([route, length]) => `${NAMES[route]}: ${length ?? "absent"}`).join("; ");
  return lengths.every(([, length]) => length === String(BYTES))
    ? asAssumed(`${measured} (${BYTES} sent)`)
    : differs(measured, "docs/limits.md must say that Content-Length is not kept");
}

export const contentLength = define<Lengths>({
  question: "Is Content-Length kept for a client that accepts no compression?",
  assumed: "yes (src/gateway/observation)",
  phase: "quick",
  requests: ROUTES.length,
  measure: async ({ echo }) => {
    const lengths = ROUTES.map(async (route) => {
      const { received } = await echo.open("payload", { route, params: { bytes: BYTES } });
      return [route, (await received).headers["content-length"] ?? null] as const;
    });
    return Promise.all(lengths);
  },
  assess: assessLengths,
});
