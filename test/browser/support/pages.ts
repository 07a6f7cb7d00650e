/** Every page of the console, with its heading. */
import type { Page } from "playwright-core";
import { api } from "./browser.ts";
import { ADA } from "./traffic.ts";

export type Listed = { readonly path: string; readonly heading: string };

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
];

type Sessions = {
  readonly sessions: readonly { readonly first_interception_id: string; readonly last_prompt?: string }[];
};

/** The pages of one session and of its first request. */
export async function detailPages(page: Page, filter: string): Promise<readonly Listed[]> {
  const { sessions } = await api<Sessions>(page, `/sessions?${filter}&limit=1`);
  const id = sessions[0]?.first_interception_id ?? "";
  return [
    { path: `/sessions/${id}`, heading: "Session" },
    { path: `/interceptions/${id}`, heading: "Request" },
  ];
}
