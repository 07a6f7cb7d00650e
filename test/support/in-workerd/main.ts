/** The Worker that the tests inside workerd run in: the records Worker, with the gateway's Durable Objects beside it. */
import { ObjectOwnersShard } from "../../../src/gateway/initiator/object-owners-shard.ts";
import { ReplayCacheShard } from "../../../src/gateway/initiator/replay-cache-shard.ts";
import RecordsWorker, { BudgetObject } from "../../../src/records/index.ts";

export { BudgetObject, ObjectOwnersShard, ReplayCacheShard as NonceShard };
export default RecordsWorker;
