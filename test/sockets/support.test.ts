/** The fake provider and the raw client, on which the other socket tests depend. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as respond from "../support/response-steps.ts";
import { startFakeUpstream, type FakeUpstream } from "../support/fake-upstream.ts";
import { startInterceptor, type RunningInterceptor } from "../support/interceptor.ts";
import { openRaw, rawRequest } from "../support/raw-client.ts";
import { byteByByte, everySplit, forSeeds, rechunk } from "../support/rechunk.ts";
import { ConnectionEnded, concat, utf8 } from "../support/wire.ts";

let upstream: FakeUpstream;
beforeEach(async () => void (upstream = await startFakeUpstream()));
afterEach(() => upstream.close());

describe("the requests that the fake provider records", () => {
  it("keeps the names, repetitions, order and raw bytes of headers", async () => {
    upstream.respondWith(respond.json(200, {}));
    await rawRequest(upstream.port, {
      target: "http://elsewhere/v1?x=%2f",
      headers: [
        ["Host", "x/openai/v1?"],
        ["X-A", "1"],
        ["x-a", "\xe9\xa0"],
        ["X-B", utf8("а")],
      ],
    });
    const request = await upstream.waitForRequest();
    expect([request.method, request.target]).toEqual(["GET", "http://elsewhere/v1?x=%2f"]);
    expect(request.headers).toEqual([
      ["Host", "x/openai/v1?"],
      ["X-A", "1"],
      ["x-a", "\xe9\xa0"],
      ["X-B", "\xd0\xb0"],
    ]);
    expect(request.values("x-A")).toEqual(["1", "\xe9\xa0"]);
  });

  it("reads bodies with a content-length and chunked bodies", async () => {
    upstream.respondWith(respond.json(200, {}));
    await rawRequest(upstream.port, { target: "/", body: "grüße" });
    await rawRequest(upstream.port, { target: "/", chunks: ["grü", "ße", new Uint8Array([0, 255])] });
    const [byLength, inChunks] = await upstream.waitForRequests(2);
    expect(byLength?.text()).toBe("grüße");
    expect(byLength?.values("content-length")).toEqual(["7"]);
    expect(inChunks?.body()).toEqual(new Uint8Array([...new TextEncoder().encode("grüße"), 0, 255]));
  });

  it("detects a client that disconnects in mid-upload", async () => {
    const client = await openRaw(upstream.port);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.writeChunk("half");
    const request = await upstream.waitForRequest((forwarded) => forwarded.text() === "half");
    expect(request.closedAt).toBeNull();
    client.abort();
    await upstream.waitForAllClosed();
    expect(request.bodyComplete).toBe(false);
    expect(request.closedAt).not.toBeNull();
  });

  it("responds to several requests on one connection", async () => {
    upstream.respondWith((request, index) => respond.json(200, { index, target: request.target }));
    const client = await openRaw(upstream.port);
    client.send({ target: "/a" });
    client.send({ target: "/b" });
    expect((await client.readResponse()).text()).toBe('{"index":0,"target":"/a"}');
    expect((await client.readResponse()).text()).toBe('{"index":1,"target":"/b"}');
    expect(upstream.openConnections()).toBe(1);
    client.end();
    await upstream.waitForAllClosed();
  });
});

describe("the responses of the fake provider", () => {
  it("sends any status and header, and repeated headers separately", async () => {
    upstream.respondWith(
      respond.json(529, "{}", [
        ["Set-Cookie", "a"],
        ["Set-Cookie", "b"],
        ["X-L", "\xe9"],
      ]),
    );
    const response = await rawRequest(upstream.port, { target: "/" });
    expect([response.status, response.text(), response.values("set-cookie"), response.values("x-l")]).toEqual(
      [529, "{}", ["a", "b"], ["\xe9"]],
    );
  });

  it("sends events one by one, each when the test releases it", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const second = [respond.waitFor(released), respond.body(respond.event("[DONE]")), respond.finish()];
    upstream.respondWith(respond.sseSteps([respond.body(respond.event({ n: 1 })), ...second]));
    const client = await openRaw(upstream.port);
    client.send({ target: "/" });
    expect(await client.readUntil((text) => text.includes('{"n":1}'))).not.toContain("[DONE]");
    release();
    expect((await client.readResponse()).text()).toBe('data: {"n":1}\n\ndata: [DONE]\n\n');
  });

  it("sends compressed events that decompress one by one", async () => {
    upstream.respondWith(respond.gzipSse(["data: 1\n\n", "data: 2\n\n"]));
    const response = await rawRequest(upstream.port, { target: "/" });
    expect(response.values("content-encoding")).toEqual(["gzip"]);
    expect(gunzipSync(response.body).toString()).toBe("data: 1\n\ndata: 2\n\n");
  });

  it("sends a body that ends with the connection, and no body for HEAD and 204", async () => {
    upstream.respondWith([respond.head({ framing: "until-close" }), respond.body("all"), respond.finish()]);
    expect((await rawRequest(upstream.port, { target: "/" })).text()).toBe("all");
    upstream.respondWith([respond.head({ headers: [["Content-Length", "9"]], framing: "content-length" })]);
    expect((await rawRequest(upstream.port, { method: "HEAD", target: "/" })).body.length).toBe(0);
    upstream.respondWith([respond.head({ status: 204, framing: "content-length" })]);
    expect((await rawRequest(upstream.port, { target: "/" })).status).toBe(204);
  });

  it("breaks responses off: short of the content-length, by FIN in mid-stream and by RST", async () => {
    for (const broken of [
      respond.truncated(200, "{}", 5),
      respond.sseSteps([respond.body("data: 1\n\n"), respond.fin()]),
      respond.sseSteps([respond.body("data: 1\n\n"), respond.reset()]),
      [respond.reset()],
    ]) {
      upstream.respondWith(broken);
      await expect(rawRequest(upstream.port, { target: "/" })).rejects.toThrow(ConnectionEnded);
    }
  });

  it("sends nothing until the client disconnects", async () => {
    upstream.respondWith([respond.hang()]);
    const client = await openRaw(upstream.port);
    client.send({ target: "/" });
    const request = await upstream.waitForRequest();
    expect(upstream.openConnections()).toBe(1);
    client.abort();
    await upstream.waitForAllClosed();
    expect(request.closedAt).not.toBeNull();
  });

  it("responds before the request's body is complete", async () => {
    upstream.respondWith(respond.json(413, {}), { at: "head" });
    const client = await openRaw(upstream.port);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    expect((await client.readResponse()).status).toBe(413);
    client.destroy();
    await upstream.waitForAllClosed();
  });
});

describe("the raw client", () => {
  it("distinguishes an orderly end from a reset", async () => {
    upstream.respondWith([respond.fin()]);
    const ended = await openRaw(upstream.port);
    ended.send({ target: "/" });
    expect(await ended.closed).toBe("end");
    upstream.respondWith([respond.reset()]);
    const reset = await openRaw(upstream.port);
    reset.send({ target: "/" });
    expect(await reset.closed).toBe("reset");
  });

  it("reports the received bytes when a response ends early", async () => {
    upstream.respondWith([respond.raw("HTTP/1.1 200 O"), respond.fin()]);
    const client = await openRaw(upstream.port);
    client.send({ target: "/" });
    await expect(client.readUntil((text) => text.includes("never"))).rejects.toThrow("HTTP/1.1 200 O");
  });

  it("rejects characters above one byte", async () => {
    await expect(rawRequest(upstream.port, { target: "/", headers: [["x", "а"]] })).rejects.toThrow("utf8()");
  });
});

/** Replaces the interceptor: logs its bindings, and writes the data point in the request's body. */
const STAND_IN = `export default {
  async fetch(request, env) {
    const { PROVIDERS, TEXT, SECRET } = env;
    console.log(JSON.stringify({ message: "interception log", record_type: "passthrough", PROVIDERS, TEXT, SECRET }));
    try {
      env.OVERRIDES?.writeDataPoint(await request.json());
      return new Response("written");
    } catch (error) {
      return new Response(String(error));
    }
  },
};`;

describe("the interceptor in its own workerd", () => {
  let running: RunningInterceptor;
  const write = async (point: object) =>
    (await rawRequest(running.port, { target: "/", body: JSON.stringify(point) })).text();

  beforeAll(async () => {
    const script = join(await mkdtemp(join(tmpdir(), "stand-in-")), "index.js");
    await writeFile(script, STAND_IN);
    const vars = { PROVIDERS: { a: { n: 1 } }, TEXT: "kept" };
    const settings = {
      compatibilityDate: "2026-10-01",
      compatibilityFlags: [],
      vars,
      analytics: ["OVERRIDES"],
    };
    const bundle = { script, settings };
    running = await startInterceptor({ vars: { TEXT: 'a"b\\c\né\u2028' }, secrets: { SECRET: "s" } }, bundle);
  });
  afterEach(() => running.clear());
  afterAll(() => running.close());

  it("binds vars and secrets as wrangler does, and returns the logged events", async () => {
    await write({});
    const [event] = await running.waitForEvents((events) => events.length === 1);
    expect(event).toMatchObject({ PROVIDERS: { a: { n: 1 } }, TEXT: 'a"b\\c\né\u2028', SECRET: "s" });
  });

  it("keeps valid points, and throws for points that the real binding rejects", async () => {
    expect(await write({ indexes: ["i"], blobs: ["b", null], doubles: [1] })).toBe("written");
    for (const invalid of [
      { indexes: ["i", "j"] },
      { indexes: ["é".repeat(49)] },
      { blobs: Array.from({ length: 21 }, () => "") },
      { blobs: ["b".repeat(16_001)] },
      { blobs: [1] },
      { doubles: Array.from({ length: 21 }, () => 0) },
      { doubles: [null] },
    ]) {
      expect(await write(invalid)).toMatch(/^TypeError: writeDataPoint/);
    }
    await running.flush();
    expect(running.points()).toEqual([
      { dataset: "OVERRIDES", point: { indexes: ["i"], blobs: ["b", null], doubles: [1] } },
    ]);
    expect(running.points("INTERCEPTIONS")).toEqual([]);
    expect(running.lines()).toHaveLength(8);
  });

  it("restarts on the same port with other options, including failing and absent data sets", async () => {
    await running.update({ analytics: "failing" });
    expect(await write({})).toBe("Error: Analytics Engine is down");
    await running.update({ analytics: "absent" });
    expect(await write({})).toBe("written");
    const events = await running.waitForEvents((all) => all.length === 2);
    expect(events[1]).toMatchObject({ TEXT: "kept" });
    expect(running.points()).toEqual([]);
  });
});

describe("rechunking bytes", () => {
  const bytes = new TextEncoder().encode("data: é\r\n\r\ndata: 2\n\n");

  it("keeps the bytes for every seed, repeats the pieces of a seed, and reports a failing seed", () => {
    forSeeds(200, (seed) => {
      expect(concat(rechunk(bytes, seed))).toEqual(bytes);
      expect(rechunk(bytes, seed)).toEqual(rechunk(bytes, seed));
    });
    expect(concat(byteByByte(bytes))).toEqual(bytes);
    expect([...everySplit(bytes)]).toHaveLength(bytes.length + 1);
    expect(() => forSeeds(9, (seed) => expect(seed).toBeLessThan(7))).toThrow(/^seed 7: /);
  });
});
