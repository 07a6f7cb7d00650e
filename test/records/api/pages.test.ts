/** Every list says how many matches it has and where the next page is, so that a part of it does not look complete. */
import { beforeEach, describe, expect, it } from "vitest";
import { BASE, fetchApi, items, part, type ApiResponse } from "../../support/in-workerd/api-client.ts";
import {
  anomaly,
  BOB,
  idAt,
  insert,
  interception,
  override,
  passthrough,
  refusal,
  unauthenticatedEvent,
  T0,
  type Row,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

const ROWS = 7;
const DAY = 86_400_000;
const repeated = (row: (n: number) => Row): Row[] => Array.from({ length: ROWS }, (_, n) => row(n));

/** Each list endpoint with rows of its own, newest first. */
const LISTS: readonly (readonly [path: string, key: string, fill: () => Promise<void>])[] = [
  [
    "/interceptions",
    "results",
    () =>
      insert(
        "interceptions",
        repeated((n) => interception(T0 + n)),
      ),
  ],
  [
    "/sessions",
    "sessions",
    () =>
      insert(
        "interceptions",
        repeated((n) => interception(T0 + n)),
      ),
  ],
  [
    "/overrides",
    "results",
    () =>
      insert(
        "initiator_overrides",
        repeated((n) => override(T0 + n)),
      ),
  ],
  [
    "/passthroughs",
    "results",
    () =>
      insert(
        "passthroughs",
        repeated((n) => passthrough(T0 + n)),
      ),
  ],
  [
    "/anomalies",
    "results",
    () =>
      insert(
        "anomalies",
        repeated((n) => anomaly(T0 + n * DAY)),
      ),
  ],
  [
    "/refusals",
    "results",
    () =>
      insert(
        "refusals",
        repeated((n) => refusal(T0 + n)),
      ),
  ],
  [
    "/unauthenticated-events",
    "results",
    () =>
      insert(
        "unauthenticated_events",
        repeated((n) => unauthenticatedEvent(T0 + n)),
      ),
  ],
];

/** The target of the link with this relation, as a client resolves it (RFC 8288 §3.1, RFC 3986 §5.2). */
function linked({ headers }: ApiResponse, path: string, relation = "next"): string | null {
  const [, reference] = new RegExp(`<([^>]*)>; rel="${relation}"`).exec(headers.get("link") ?? "") ?? [];
  if (reference === undefined) return null;
  const { pathname, search } = new URL(reference, `https://other.example${BASE}${path}`);
  return pathname.slice(BASE.length) + search;
}

const threads = ({ json }: ApiResponse): unknown[] => items(json, "threads").map((one) => part(one, "id"));

const keysOf = ({ json }: ApiResponse): unknown[] => items(json, "results").map((one) => part(one, "key"));

const requestsOf = ({ json }: ApiResponse): unknown[] =>
  items(json, "results").map((one) => part(one, "requests"));

/** Every page, from the first one along the links. */
async function pages(path: string, relation = "next"): Promise<ApiResponse[]> {
  const all: ApiResponse[] = [];
  for (let next: string | null = path; next !== null;) {
    const response: ApiResponse = await fetchApi(next);
    expect([next, response.status]).toEqual([next, 200]);
    all.push(response);
    next = linked(response, next, relation);
  }
  return all;
}

describe.each(LISTS)("%s", (path, key, fill) => {
  beforeEach(fill);

  const idsOf = ({ json }: ApiResponse): unknown[] => items(json, key).map((one) => part(one, "id"));

  it("leads through every result once, along the Link header", async () => {
    const all = await pages(`${path}?limit=3`);
    expect(all.map((page) => idsOf(page).length)).toEqual([3, 3, 1]);
    expect(all.flatMap(idsOf)).toEqual(idsOf(await fetchApi(path)));
    expect(all.map(({ headers }) => headers.get("x-total-count"))).toEqual(["7", "7", "7"]);
  });

  it("has no next page where the last one is exactly full", async () => {
    expect((await pages(`${path}?limit=7`)).length).toBe(1);
    expect((await fetchApi(`${path}?limit=7`)).headers.has("link")).toBe(false);
    expect((await pages(`${path}?limit=1`)).length).toBe(ROWS);
  });

  it("continues an offset with a cursor", async () => {
    const all = await pages(`${path}?limit=2&offset=3`);
    expect(all.flatMap(idsOf)).toEqual(idsOf(await fetchApi(path)).slice(3));
  });
});

describe("the headers of a page", () => {
  it("keep the query's filters, and nothing of the Host header", async () => {
    const models = ["a&b", "a&b", "c"];
    await insert(
      "interceptions",
      models.map((model, n) => interception(T0 + n, { model })),
    );
    const { headers } = await fetchApi("/interceptions?limit=1&model=a%26b");
    expect(headers.get("link")).toBe(`<?limit=1&model=a%26b&after_id=${idAt(T0 + 1)}>; rel="next"`);
  });

  it("replace Coder's cursor of sessions", async () => {
    await insert(
      "interceptions",
      repeated((n) => interception(T0 + n, { client_session_id: `s${n}` })),
    );
    const response = await fetchApi("/sessions?limit=2&after_session_id=s5");
    expect(linked(response, "/sessions")).toBe(`/sessions?limit=2&after_id=${idAt(T0 + 3)}`);
  });

  it("have no total where the count stopped at its cap", async () => {
    await insert(
      "interceptions",
      Array.from({ length: 1001 }, (_, n) => interception(T0, {}, n)),
    );
    const { headers, json } = await fetchApi("/sessions?limit=1");
    expect([part(json, "count"), part(json, "count_is_capped")]).toEqual([1000, true]);
    expect(headers.has("x-total-count")).toBe(false);
    expect(headers.has("link")).toBe(true);
  });

  it("are those of HEAD too", async () => {
    await insert(
      "interceptions",
      repeated((n) => interception(T0 + n)),
    );
    const { headers, text } = await fetchApi("/interceptions?limit=1", { method: "HEAD" });
    expect([headers.get("x-total-count"), headers.has("link"), text]).toEqual(["7", true, ""]);
  });

  it("lead through a session's threads in both directions", async () => {
    const rows = repeated((n) => interception(T0 + n, { client_session_id: "s" }));
    await insert("interceptions", rows);
    const ids = rows.map(({ id }) => id);
    const forwards = await pages("/sessions/s?limit=3");
    expect(forwards.flatMap(threads)).toEqual(ids);
    expect(forwards.map(({ json }) => part(json, "thread_count"))).toEqual([7, 7, 7]);
    expect(forwards[0]?.headers.get("x-total-count")).toBe("7");
    const backwards = await pages(`/sessions/s?limit=3&before_id=${String(ids[6])}`, "prev");
    expect(backwards.map(threads)).toEqual([ids.slice(3, 6), ids.slice(0, 3)]);
  });
});

describe("/usage", () => {
  const models = ["", "a", "b", "c", "d", "é", null];
  beforeEach(() =>
    insert(
      "interceptions",
      models.flatMap((model, n) => [
        interception(T0 + n, { model }),
        ...(n === 3 ? [interception(T0 + 100, { model })] : []),
      ]),
    ),
  );

  it.each([1, 2, 3, 7])("leads by key through every group once, in pages of %i", async (limit) => {
    const all = await pages(`/usage?group_by=model&order=key&limit=${limit}`);
    expect(all.flatMap(keysOf)).toEqual(models);
    expect(all.flatMap(requestsOf)).toEqual([1, 1, 1, 2, 1, 1, 1]);
    expect(new Set(all.map(({ headers }) => headers.get("x-total-count")))).toEqual(new Set(["7"]));
    expect(all.map(({ json }) => part(json, "results_are_capped"))).toEqual(
      all.map((_, n) => n < all.length - 1),
    );
  });

  it("leads by requests through every group, by offset", async () => {
    const all = await pages("/usage?group_by=model&limit=3");
    expect(all.flatMap(keysOf)).toEqual(["c", null, "", "a", "b", "d", "é"]);
    expect(all.map(({ json }) => part(json, "count"))).toEqual([7, 7, 7]);
  });

  it("keeps the time range of the first page", async () => {
    const [first, second] = await pages("/usage?group_by=model&limit=4");
    for (const name of ["started_after", "started_before"])
      expect(part(second?.json, name)).toBe(part(first?.json, name));
    expect(linked(first as ApiResponse, "/usage")).toContain("started_before=2026-11-23T13%3A00%3A00.000Z");
  });

  it("counts the groups on an empty page too", async () => {
    const { json, headers } = await fetchApi("/usage?group_by=model&order=key&offset=100");
    expect([keysOf({ json } as ApiResponse), part(json, "count"), headers.get("x-total-count")]).toEqual([
      [],
      7,
      "7",
    ]);
    expect(part((await fetchApi(`/usage?initiator=${BOB}`)).json, "count")).toBe(0);
  });

  it("says in the headers of a CSV what it lacks, and has no line that is not a row", async () => {
    const response = await fetchApi("/usage?group_by=model&order=key&limit=2&format=csv");
    expect(response.text.split("\r\n").length).toBe(1 + 2 + 1);
    expect(response.headers.get("x-total-count")).toBe("7");
    const all = await pages("/usage?group_by=model&order=key&limit=2&format=csv");
    expect(all.flatMap(({ text }) => text.split("\r\n").slice(1, -1)).length).toBe(7);
  });
});
