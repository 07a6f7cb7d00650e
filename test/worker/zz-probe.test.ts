import { expect, it, vi } from "vitest";
import { observe } from "../../src/observation/observe.ts";
import { chatUsage, isUsageOnly } from "../../src/provider/openai-chat.ts";
function upstream() {
  let c!: ReadableByteStreamController; const log: string[] = [];
  const body = new ReadableStream({ type: "bytes", start(k) { c = k as ReadableByteStreamController; }, cancel(r) { log.push("cancel " + r); } });
  return { body, send: (t: string) => c.enqueue(new TextEncoder().encode(t)), end: () => { c.close(); (c as any).byobRequest?.respond(0); }, fail: () => c.error(new Error("boom")), log };
}
const opts = (over = {}) => ({ clientSignal: new AbortController().signal, abort: new AbortController(), idleMs: 1000, capBytes: 1e6, now: () => 5, takeOut: null, ...over });
const sse = (body: ReadableStream) => new Response(body, { headers: { "content-type": "text/event-stream" } });
const dec = (x: any) => x.done ? "DONE" : new TextDecoder().decode(x.value);
for (const takeOut of [null, isUsageOnly]) {
it("flows " + !!takeOut, async () => {
  const u = upstream();
  const o = await observe(sse(u.body), chatUsage(), opts({ takeOut }));
  const r = (o.body as ReadableStream).getReader();
  u.send("data: {}\n\n"); console.log(dec(await r.read()));
  u.send("data: [DONE]\n\n"); console.log(dec(await r.read()));
  u.end(); console.log(dec(await r.read()));
  console.log(JSON.stringify(await o.conclusion));
}, 3000);
it("fails " + !!takeOut, async () => {
  const u = upstream();
  const o = await observe(sse(u.body), chatUsage(), opts({ takeOut }));
  const r = (o.body as ReadableStream).getReader();
  u.send("data: {}\n\n"); console.log(dec(await r.read()));
  u.send("data: {"); u.fail(); 
  console.log(await r.read().then(dec, e => "read: " + e));
  console.log(await r.read().then(dec, e => "read: " + e));
  console.log(JSON.stringify(await o.conclusion));
}, 3000);
it("client cancels " + !!takeOut, async () => {
  const u = upstream();
  const a = new AbortController(); a.signal.addEventListener("abort", () => { console.log("aborted"); u.fail(); });
  const o = await observe(sse(u.body), chatUsage(), opts({ takeOut, abort: a }));
  const r = (o.body as ReadableStream).getReader();
  u.send("data: {}\n\n"); console.log(dec(await r.read()));
  await r.cancel("bye"); u.send("data: {}\n\n");
  console.log(JSON.stringify(await o.conclusion), u.log);
}, 3000);
it("signal " + !!takeOut, async () => {
  const u = upstream();
  const a = new AbortController(); a.signal.addEventListener("abort", () => { u.fail(); });
  const s = new AbortController();
  const o = await observe(sse(u.body), chatUsage(), opts({ takeOut, abort: a, clientSignal: s.signal }));
  const r = (o.body as ReadableStream).getReader();
  u.send("data: {}\n\n"); console.log(dec(await r.read()));
  u.send('data: {"id":"x"}\n\n'); s.abort();
  console.log(JSON.stringify(await o.conclusion), u.log);
}, 3000);
it("idle fake " + !!takeOut, async () => {
  vi.useFakeTimers();
  const u = upstream();
  const a = new AbortController(); a.signal.addEventListener("abort", () => { u.fail(); });
  const o = await observe(sse(u.body), chatUsage(), opts({ takeOut, abort: a, now: () => Date.now() }));
  const r = (o.body as ReadableStream).getReader();
  u.send("data: {}\n\n"); console.log(dec(await r.read()));
  await vi.advanceTimersByTimeAsync(999); console.log(a.signal.aborted);
  await vi.advanceTimersByTimeAsync(500); console.log(a.signal.aborted);
  console.log(JSON.stringify(await o.conclusion), u.log);
  vi.useRealTimers();
}, 3000);
}
it("bytes body", async () => {
  const o = await observe(new Response(new TextEncoder().encode("data: {}\n\ndata: [DONE]\n\n"), { headers: { "content-type": "text/event-stream" } }), chatUsage(), opts());
  console.log(await new Response(o.body).text(), JSON.stringify(await o.conclusion));
});
it("broken json", async () => {
  const u = upstream();
  u.send('{"id":'); u.fail();
  const o = await observe(new Response(u.body, { headers: { "content-type": "application/json", "content-length": "100" } }), chatUsage(), opts());
  const r = (o.body as ReadableStream).getReader();
  console.log(await r.read().then(dec, e => "read: " + e));
  console.log(await r.read().then(dec, e => "read: " + e));
  console.log(JSON.stringify(await o.conclusion));
});
