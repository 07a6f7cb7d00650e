/**
 * Stands in for one Analytics Engine data set under wrangler's harness: a Worker whose `writeDataPoint` refuses what
 * the real one refuses, and whose `fetch` lets a test read what was written (GET), forget it (DELETE), and make every
 * write fail or succeed again (PUT, body `failing` or `working`).
 *
 * As a service binding it is asynchronous: it rejects where the real binding throws.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { StrictAnalytics, type DataPoint } from "../strict-analytics.ts";

const dataset = new StrictAnalytics();

export default class extends WorkerEntrypoint {
  writeDataPoint(point: DataPoint): void {
    dataset.writeDataPoint(point);
  }

  async fetch(request: Request): Promise<Response> {
    if (request.method === "DELETE") dataset.points.length = 0;
    if (request.method === "PUT") dataset.failing = (await request.text()) === "failing";
    return Response.json(dataset.points);
  }
}
