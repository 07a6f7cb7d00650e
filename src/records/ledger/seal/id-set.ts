/**
 * A set of event ids of 16 bytes each, in 20 bytes of memory at half load: ten million ids as texts would not fit. Open
 * addressing with linear probing; the ids' own random bits are the hash.
 */
const WORDS = 4;
const EMPTY = 0;
const HELD = 1;
const TAKEN = 2;

export class IdSet {
  #slots = 1024;
  #count = 0;
  #words = new Uint32Array(this.#slots * WORDS);
  #marks = new Uint8Array(this.#slots);

  get size(): number {
    return this.#count;
  }

  /** Whether the id is new. */
  add(id: Uint8Array): boolean {
    if (this.#count * 2 >= this.#slots) this.#grow();
    const words = wordsOf(id);
    const slot = this.#find(words);
    if (this.#marks[slot] !== EMPTY) return false;
    this.#words.set(words, slot * WORDS);
    this.#marks[slot] = HELD;
    this.#count += 1;
    return true;
  }

  has(id: Uint8Array): boolean {
    return this.#marks[this.#find(wordsOf(id))] !== EMPTY;
  }

  /** Whether the id is in the set and is taken for the first time. */
  take(id: Uint8Array): boolean {
    const slot = this.#find(wordsOf(id));
    if (this.#marks[slot] !== HELD) return false;
    this.#marks[slot] = TAKEN;
    return true;
  }

  /** The slot of the id, or the empty one where it belongs. */
  #find(words: Uint32Array): number {
    const start = mix(words) % this.#slots;
    for (let slot = start; ; slot = (slot + 1) % this.#slots) {
      if (this.#marks[slot] === EMPTY) return slot;
      const at = slot * WORDS;
      if (words.every((word, part) => word === this.#words[at + part])) return slot;
    }
  }

  #grow(): void {
    const [words, marks] = [this.#words, this.#marks];
    this.#slots *= 2;
    this.#words = new Uint32Array(this.#slots * WORDS);
    this.#marks = new Uint8Array(this.#slots);
    for (let slot = 0; slot < marks.length; slot += 1) {
      const mark = marks[slot] ?? EMPTY;
      if (mark === EMPTY) continue;
      const id = words.subarray(slot * WORDS, (slot + 1) * WORDS);
      const target = this.#find(id);
      this.#words.set(id, target * WORDS);
      this.#marks[target] = mark;
    }
  }
}

function wordsOf(id: Uint8Array): Uint32Array {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return Uint32Array.from({ length: WORDS }, (_, part) => view.getUint32(4 * part));
}

/** Ids of one interception differ in the second word only. */
function mix(words: Uint32Array): number {
  let hash = 0x9e3779b9;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
