/** `npm run report -- <view> --csv` writes every row, page by page, and says where it does not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ApiError, createApiClient, type ApiClient, type Query } from "../../tools/report/api-client.ts";
import { writeCsv, type Written } from "../../tools/report/csv.ts";
import { VIEWS, type View } from "../../tools/report/views.ts";
import { ROOT } from "../../tools/root.ts";

const ROWS = 1234;
const tooLarge = (): ApiError => new ApiError("http://api", 400, { message: "no", fields: ["limit"] });

/** An API with rows 1 to `total`, in pages, as the records Worker serves them. */
function fakeApi({
  total = ROWS,
  maxRows = 1000,
  failAfter = Infinity,
}: {
  readonly total?: number;
  readonly maxRows?: number;
  readonly failAfter?: number;
}): { readonly api: ApiClient; readonly queries: Query[] } {
  const queries: Query[] = [];
  const api: ApiClient = {
    getPage: async (_, query) => {
      queries.push(query);
      const limit = Number(query["limit"]);
      const after = Number(query["after_id"] ?? 0);
      if (limit > maxRows) throw tooLarge();
      if (after >= failAfter) throw new Error("The API is down.");
      const size = Math.max(0, Math.min(limit, total - after));
      const results = Array.from({ length: size }, (__, n) => ({ id: String(after + n + 1) }));
      const hasMore = after + size < total;
      const body = { count: Math.min(total, 10_000), count_is_capped: total > 10_000, results };
      return { body, next: hasMore ? { ...query, after_id: String(after + size) } : null };
    },
    get: () => Promise.reject(new Error("not used")),
    post: () => Promise.reject(new Error("not used")),
  };
  return { api, queries };
}

type Export = { readonly lines: readonly string[]; readonly written: Written; readonly chunks: number };

async function exported(
  api: ApiClient,
  limit: number | null = null,
  view = "interceptions",
): Promise<Export> {
  let text = "";
  let chunks = 0;
  const write = async (chunk: string): Promise<void> => {
    text += chunk;
    chunks += 1;
  };
  const options = { view: VIEWS[view] as View, path: "p", by: "model", query: { model: "m" }, limit, write };
  const written = await writeCsv(api, options);
  expect(text.endsWith("\r\n")).toBe(true);
  return { lines: text.split("\r\n").slice(0, -1), written, chunks };
}

const idsOf = ({ lines }: Export): number[] => lines.slice(1).map((line) => Number(line.split(",")[1]));
const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

describe("a CSV of the report", () => {
  it("has every row once, under one header row", async () => {
    const result = await exported(fakeApi({}).api);
    expect(idsOf(result)).toEqual(upTo(ROWS));
    expect(result.written).toEqual({ rows: ROWS, of: null });
  });

  it("is written page by page", async () => {
    expect((await exported(fakeApi({}).api)).chunks).toBe(3);
  });

  it("has the header row where there are no rows", async () => {
    const { lines, written } = await exported(fakeApi({ total: 0 }).api);
    expect(lines).toHaveLength(1);
    expect(written).toEqual({ rows: 0, of: null });
  });

  it.each([1, 500, 501, 1233])("stops at --limit %i and says how many there are", async (limit) => {
    const result = await exported(fakeApi({}).api, limit);
    expect(idsOf(result)).toEqual(upTo(limit));
    expect(result.written).toEqual({ rows: limit, of: "1,234" });
  });

  it("says that there are more than the API counts", async () => {
    expect((await exported(fakeApi({ total: 20_000 }).api, 5)).written.of).toBe("more than 10,000");
  });

  it("is complete where the limit is not reached", async () => {
    expect((await exported(fakeApi({}).api, 5000)).written).toEqual({ rows: ROWS, of: null });
  });

  it.each([1, 7, 499])(
    "reads smaller pages where the API refuses them as too large: %i rows",
    async (maxRows) => {
      const { api, queries } = fakeApi({ total: 60, maxRows });
      expect(idsOf(await exported(api))).toEqual(upTo(60));
      expect(queries.every(({ model }) => model === "m")).toBe(true);
    },
  );

  it("fails where the API refuses a page of one row", async () => {
    await expect(exported(fakeApi({ maxRows: 0 }).api)).rejects.toBeInstanceOf(ApiError);
  });

  it("says that it is incomplete where a later page fails", async () => {
    await expect(exported(fakeApi({ failAfter: 1000 }).api)).rejects.toThrow(
      "The CSV is incomplete: it ends after 1,000 rows. The API is down.",
    );
  });

  it("reads usage by key, so that no group is skipped, and with a limit by requests", async () => {
    const all = fakeApi({ total: 3 });
    await exported(all.api, null, "usage");
    expect(all.queries[0]).toEqual({ model: "m", group_by: "model", order: "key", limit: "500" });
    const top = fakeApi({ total: 3 });
    await exported(top.api, 2, "usage");
    expect(top.queries[0]).toEqual({ model: "m", group_by: "model", limit: "2" });
  });

  it("sends no limit where the endpoint has none", async () => {
    const { api, queries } = fakeApi({ total: 0 });
    await exported(api, 5, "attribution").catch(() => undefined);
    expect(queries[0]).toEqual({ model: "m" });
  });
});

/** The row of one interception, by column. */
async function cellsOf(item: object): Promise<Record<string, string | undefined>> {
  const api: ApiClient = {
    ...fakeApi({}).api,
    getPage: async () => ({ body: { count: 1, results: [item] }, next: null }),
  };
  const { lines } = await exported(api);
  const [heads = [], cells = []] = lines.map((line) => line.split(","));
  return Object.fromEntries(heads.map((head, at) => [head, cells[at]]));
}

describe("the columns of interceptions", () => {
  const view = VIEWS["interceptions"] as View;
  const usage = {
    input_tokens: 10,
    output_tokens: 5,
    cache_read_input_tokens: 3,
    cache_write_input_tokens: null,
  };

  it("are tokens, durations, model and outcome, and names beside ids", async () => {
    const cells = await cellsOf({
      token_usages: [usage, { ...usage, output_tokens: null }],
      duration_ms: 900,
      first_byte_ms: 0,
      model: "gpt-5.1",
      outcome: "completed",
      initiator: { id: "u-1", name: "ada" },
      metadata: { actor_name: "CI bot" },
    });
    expect(cells).toMatchObject({
      input_tokens: "20",
      output_tokens: "5",
      cache_read_input_tokens: "6",
      cache_write_input_tokens: "",
      duration_ms: "900",
      first_byte_ms: "0",
      model: "gpt-5.1",
      outcome: "completed",
      initiator: "u-1",
      initiator_name: "ada",
      actor_name: "CI bot",
    });
  });

  it("leave an unknown count empty, never 0", async () => {
    const cells = await cellsOf({ token_usages: [], usage: "unknown", duration_ms: null });
    expect([cells["input_tokens"], cells["output_tokens"], cells["duration_ms"]]).toEqual(["", "", ""]);
  });

  // The attack: a model named =HYPERLINK(…) runs when the auditor opens the file in a spreadsheet.
  it("have no formula", async () => {
    expect((await cellsOf({ model: "=1+1" }))["model"]).toBe("'=1+1");
  });

  it("have distinct names", () => {
    for (const each of [view, ...Object.values(VIEWS)]) {
      const names = each.columns("model").map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server whose every page links to another one. */
async function startServer(linkTo: string): Promise<{ readonly url: string; readonly urls: string[] }> {
  const urls: string[] = [];
  server = createServer((request, response) => {
    urls.push(request.url ?? "");
    response.setHeader("link", linkTo);
    response.setHeader("content-type", "application/json");
    const results = Array.from({ length: 500 }, (_, n) => ({ id: String(n), model: "m".repeat(200) }));
    response.end(JSON.stringify({ count: 10_000, count_is_capped: true, results }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, urls };
}

describe("the API's client", () => {
  it.each([
    ['<?limit=5&after_id=x%26y>; rel="next"', { limit: "5", after_id: "x&y" }],
    ['<?before_id=a>; rel="prev", <?after_id=b>; rel="next"', { after_id: "b" }],
    ['<?before_id=a>; rel="prev"', null],
    // The attack: a proxy or another server links to a host of its own, which would get the admin token.
    ['<https://evil.example/?after_id=b>; rel="next"', { after_id: "b" }],
  ])("reads the query of the next page from %s", async (link, next) => {
    const { url, urls } = await startServer(link);
    expect((await createApiClient(url, "token").getPage("sessions", { limit: "1" })).next).toEqual(next);
    expect(urls).toEqual(["/api/v2/ai-gateway/sessions?limit=1"]);
  });
});

describe("a pipe that is closed early", () => {
  // As `npm run report -- interceptions --csv | head`.
  it.each([
    ["interceptions", "--csv"],
    ["interceptions", "--json"],
  ])("ends the report without an error: %s %s", async (...args) => {
    const { url } = await startServer('<?after_id=x>; rel="next"');
    const command = ["tools/run.mjs", "report", ...args, "--limit", args[1] === "--csv" ? "1000000" : "1000"];
    const child = spawn(process.execPath, [...command, "--url", url], {
      cwd: ROOT,
      env: { ...process.env, INTERCEPTOR_ADMIN_TOKEN: "token" },
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [code] = (await once(child, "close")) as [number | null];
    expect(errors).not.toMatch(/EPIPE|at .*:\d+/);
    expect(code).toBe(0);
  });
});
