/** Chromium, and pages in which any violation of the Content Security Policy, error or foreign request is kept. */
import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, inject } from "vitest";
import { until } from "../../support/deadline.ts";
import { LOCAL_ADMIN_TOKEN } from "../../../tools/local-keys.ts";

/** Debian's package, or the browser of GitHub's runners. */
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync) ?? "/usr/bin/chromium";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const url = inject("url");

export const DESKTOP = { width: 1280, height: 860 };
export const PHONE = { width: 390, height: 800 };

export type Tab = {
  readonly page: Page;
  /** Errors, violations and foreign requests; each test expects none. */
  readonly problems: readonly string[];
  /** Opens a path below `/console` and waits until its data is there. */
  readonly open: (path: string) => Promise<void>;
};

let browser: Browser;

/**
 * Starts Chromium for the tests of a file.
 * @param pages Whether each test's pages are closed after it, or all tests of a group use the same one.
 */
export function useBrowser(pages: "closed" | "kept" = "closed"): void {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  });
  afterEach(() =>
    pages === "kept" ? [] : Promise.all(browser.contexts().map((context) => context.close())),
  );
  afterAll(() => browser.close());
}

type TabOptions = BrowserContextOptions & {
  /** null: not signed in. */
  readonly token?: string | null;
  /** The address of another console than that of all files. */
  readonly host?: string;
  /** Origins to which the test itself leads the browser. */
  readonly otherOrigins?: readonly string[];
  /** Statuses of failed requests that the test itself causes. */
  readonly expectedStatuses?: readonly number[];
};

/** A page in a context of its own, signed in with the admin token. */
export async function openTab(options: TabOptions = {}): Promise<Tab> {
  const { token = LOCAL_ADMIN_TOKEN, host = url, otherOrigins = [], ...rest } = options;
  const { expectedStatuses = [], ...contextOptions } = rest;
  const context = await browser.newContext({
    viewport: DESKTOP,
    locale: "en-US",
    timezoneId: "America/New_York",
    acceptDownloads: true,
    ...contextOptions,
  });
  // A busy machine takes long: no time limit decides what passes.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const problems: string[] = [];
  watch(page, problems, {
    origins: [host, ...otherOrigins],
    expectedStatuses: token === null ? [...expectedStatuses, 401] : expectedStatuses,
  });
  const open = async (path: string): Promise<void> => {
    await page.goto(`${host}/console${path}`);
    await settled(page);
  };
  if (token !== null) {
    // The console's own way in: the page exchanges the token for a cookie.
    await page.goto(`${host}/console`);
    await page.getByLabel("API token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    problems.length = 0;
  }
  return { page, problems, open };
}

type Expected = { readonly origins: readonly string[]; readonly expectedStatuses: readonly number[] };

function watch(page: Page, problems: string[], { origins, expectedStatuses }: Expected): void {
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  // A violation of the policy is an error in the console too.
  page.on("console", (message) => {
    const text = message.text();
    // The response below says which one.
    if (text.startsWith("Failed to load resource: the server responded")) return;
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${text}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !expectedStatuses.includes(response.status()))
      problems.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (request) => {
    const isExpected = (origin: string): boolean =>
      request.url().startsWith(`${origin}/`) || request.url().startsWith(`blob:${origin}/`);
    if (!origins.some(isExpected)) problems.push(`foreign request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
}

/** Nothing on the page is being loaded. */
export async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  const loading = page.locator('[aria-busy="true"], .skeleton');
  await until(
    async () => ((await loading.count()) === 0 ? true : undefined),
    () => `${page.url()} still loads`,
    60_000,
  );
}

/** A list of the API, read with the page's own session. */
export async function api<T>(page: Page, path: string): Promise<T> {
  const response = await page.request.get(`${url}/api/v2/ai-gateway${path}`);
  if (!response.ok()) throw new Error(`${path}: ${response.status()}`);
  return (await response.json()) as T;
}
