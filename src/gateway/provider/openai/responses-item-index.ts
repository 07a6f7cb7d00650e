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
  /** Items with neither a position nor an id that are not done, in the order of their start. */
  readonly #open: Item[] = [];
  /** Number of counted items that the whole output cannot be matched with by position or id, by type. */
  readonly #unidentified = new Map<string | null, number>();

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
    if (id !== null) return this.#byId.get(id);
    return this.#open.length === 1 ? this.#open[0] : undefined;
  }

  hasRoom(): boolean {
    return (
      this.#byPosition.size < MAX_ITEMS && this.#byId.size < 2 * MAX_ITEMS && this.#open.length < MAX_ITEMS
    );
  }

  /** Adds an item with neither a position nor an id, or one for which there is no room. */
  addUnidentified(item: Item, done: boolean): void {
    this.#unidentified.set(item.type, (this.#unidentified.get(item.type) ?? 0) + 1);
    if (!done) this.#open.push(item);
  }

  /** Takes the item that an event without position and id completes: the oldest open one of its type and name. */
  takeOpen(type: string | null, name: string | null): Item | undefined {
    const at = this.#open.findIndex(
      (item) => item.type === type && (name === null || (item.call?.name ?? name) === name),
    );
    return at < 0 ? undefined : this.#open.splice(at, 1)[0];
  }

  /** Whether an item of the whole output has been counted without a position and an id. Each counted item is taken once. */
  takeUnidentified(type: string | null): boolean {
    const count = this.#unidentified.get(type) ?? 0;
    this.#unidentified.set(type, count - 1);
    return count > 0;
  }

  add(item: Item, position: unknown, ids: readonly string[]): void {
    if (typeof position === "number") this.#byPosition.set(position, item);
    for (const id of ids) this.#byId.set(id, item);
  }
}
