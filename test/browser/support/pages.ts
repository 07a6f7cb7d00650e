/** Every page of the console, with its heading. */
import type { Page } from "playwright-core";
import { api } from "./browser.ts";
import { ADA } from "./traffic.ts";

export type Listed = { readonly path: string; readonly heading: string };

const SESSION = "/sessions/:one";
const REQUEST = "/interceptions/:one";

export const PAGES: readonly Listed[] = [
  { path: "", heading: "Overview" },
  { path: "/people", heading: "People and services" },
  { path: "/people?as=actor", heading: "People and services" },
  { path: `/people/one?as=initiator&source=coder&id=${ADA}`, heading: ADA },
  { path: "/sessions", heading: "Sessions" },
  { path: "/live", heading: "Requests" },
  { path: "/overrides", heading: "Overrides" },
  { path: "/anomalies", heading: "Anomalies" },
  { path: "/providers", heading: "Providers" },
  { path: "/seals", heading: "Seals" },
  { path: "/explain", heading: "Explain" },
  { path: "/budgets", heading: "Budgets" },
  { path: "/refusals", heading: "Refusals" },
  { path: "/passthroughs", heading: "Passthroughs" },
  { path: "/accesses", heading: "Access to records" },
  { path: "/unauthenticated-events", heading: "Events without a valid MAC" },
  { path: SESSION, heading: "Session" },
  { path: REQUEST, heading: "Request" },
];

type Sessions = {
  readonly sessions: readonly { readonly first_interception_id: string; readonly last_prompt?: string }[];
};

/** The path, with the first session that the filter finds, or its first request. */
export async function pathOf(page: Page, path: string, filter: string): Promise<string> {
  if (path !== SESSION && path !== REQUEST) return path;
  const { sessions } = await api<Sessions>(page, `/sessions?${filter}&limit=1`);
  return path.replace(":one", sessions[0]?.first_interception_id ?? "");
}

export const sessionPath = (page: Page, filter: string): Promise<string> => pathOf(page, SESSION, filter);
export const requestPath = (page: Page, filter: string): Promise<string> => pathOf(page, REQUEST, filter);
