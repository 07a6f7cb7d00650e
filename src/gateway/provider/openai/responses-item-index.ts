/** Finds the output items of a Responses stream by their position and by their ids. */
import type { Item } from "./responses-item.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

/** Maximum number of items in the index, far more than are kept. Past it, an item is counted only when it is done. */
const MAX_ITEMS = 1000;

/** Items by position, by id and by call id, because some servers omit one of these or change it within a stream. */
export class ItemIndex {
  readonly #byPosition = new Map<number, Item>();
  readonly #byId = new Map<string, Item>();

  at(position: number): Item | undefined {
    return this.#byPosition.get(position);
  }

  withId(ids: readonly string[]): Item | undefined {
    return ids.map((id) => this.#byId.get(id)).find((item) => item !== undefined);
  }

  /** The item at `position` if that is a number, else the item with one of the ids. */
  find(position: unknown, ids: readonly string[]): Item | undefined {
    return typeof position === "number" ? this.at(position) : this.withId(ids);
  }

  /** The item to which an event refers. Called for each delta of a stream, so it reads the id only if it needs to. */
  ofEvent(event: JsonObject): Item | undefined {
    const position = event["output_index"];
    if (typeof position === "number") return this.at(position);
    const id = asName(event["item_id"]);
    return id === null ? undefined : this.#byId.get(id);
  }

  /** Whether an item can be added: it has a position or an id, and the index is not full. */
  hasRoom(position: unknown, ids: readonly string[]): boolean {
    const identified = typeof position === "number" || ids.length > 0;
    return identified && this.#byPosition.size < MAX_ITEMS && this.#byId.size < 2 * MAX_ITEMS;
  }

  add(item: Item, position: unknown, ids: readonly string[]): void {
    if (typeof position === "number") this.#byPosition.set(position, item);
    for (const id of ids) this.#byId.set(id, item);
  }
}
