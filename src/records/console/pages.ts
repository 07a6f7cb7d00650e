/** Serves the console's files from the assets binding. The Worker sets the security headers, and serves known paths only. */
import { CONSOLE_PAGES, CONSOLE_PATH } from "../../shared/console-pages.ts";
import { IMMUTABLE, NO_STORE } from "./headers.ts";

/** Cloudflare's binding of static assets. */
export type Assets = Pick<Fetcher, "fetch">;

export type Page = { readonly response: Response; readonly cacheControl: string };

const INDEX = `${CONSOLE_PATH}/index.html`;
const PAGE = new RegExp(`^${CONSOLE_PATH}(?:/|/(?:${CONSOLE_PAGES.join("|")})(?:/.*)?)?$`);
/** A file, by its extension. Nothing else below the path is looked up. */
const FILE = new RegExp(
  `^${CONSOLE_PATH}(?:/[\\w-]+)*/[\\w.-]+\\.(?:html|js|css|svg|png|ico|webmanifest|txt|woff2)$`,
);
/** The build writes a digest of the content into the name. */
const HAS_DIGEST = /-[A-Z0-9]{8}\.(?:js|css|svg|png|woff2)$/;

const NOT_BUILT =
  "The console is not built. Run `npm run console` in the project's folder, then start or deploy again.\n";

/** Returns null where no page and no file has this path. `path` has been through `readTarget`. */
export async function findPage(path: string, assets: Assets | null): Promise<Page | null> {
  const isPage = PAGE.test(path);
  if (!isPage && !FILE.test(path)) return null;
  const found = assets && (await readFile(assets, isPage ? INDEX : path));
  if (found) return { response: found, cacheControl: HAS_DIGEST.test(path) ? IMMUTABLE : NO_STORE };
  return isPage ? { response: text(NOT_BUILT, 503), cacheControl: NO_STORE } : null;
}

/** The binding reads the URL's path only; the host is a placeholder. */
async function readFile(assets: Assets, path: string): Promise<Response | null> {
  const found = await assets.fetch(`https://assets.invalid${path}`);
  if (found.status === 200)
    return new Response(found.body, {
      headers: { "content-type": found.headers.get("content-type") ?? "application/octet-stream" },
    });
  await found.body?.cancel();
  return null;
}

export const text = (body: string, status: number): Response =>
  new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
