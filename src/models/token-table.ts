/**
 * A vocabulary as tables of numbers: tens of thousands of strings and the objects that hold them would grow a worker's
 * heap by megabytes, most of it garbage that is seldom collected. Knows nothing of what tokens mean.
 */

/** Tokens that are looked at for one at most: a file may hold many that were made to collide. */
const maxProbes = 256;

const maxArguments = 4_096;

/** A `Map` from tokens to ids, as far as a tokenizer uses one. */
export class TokenTable implements Iterable<[string, number]> {
  /** All tokens' UTF-16 code units, one token after the other. */
  readonly #units: Uint16Array;
  /** Where each token begins, and where the last one ends. */
  readonly #starts: Uint32Array;
  readonly #ids: Int32Array;
  /** Places of tokens by hash, each plus 1; 0: free. At most half of it is in use. */
  readonly #slots: Int32Array;
  /** Tokens that came later, and ids that have changed. */
  readonly #later = new Map<string, number>();

  private constructor(parts: TokenParts, slots: Int32Array) {
    this.#units = parts.units;
    this.#starts = parts.starts;
    this.#ids = parts.ids;
    this.#slots = slots;
  }

  /** Of a token that comes twice the last id counts. Null for tokens whose hashes collide too often. */
  static create({ units, starts, ids }: TokenParts): TokenTable | null {
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(1, ids.length) * 2)));
    const table = new TokenTable({ units, starts, ids }, slots);
    for (let place = 0; place < ids.length; place++) if (!table.#insert(place)) return null;
    return table;
  }

  /** Of the file's own tokens; -1 without any. */
  get largestId(): number {
    let largest = -1;
    for (const id of this.#ids) largest = Math.max(largest, id);
    return largest;
  }

  has(token: string): boolean {
    return this.get(token) !== undefined;
  }

  get(token: string): number | undefined {
    const later = this.#later.size > 0 ? this.#later.get(token) : undefined;
    if (later !== undefined) return later;
    const place = this.#placeOf(token);
    return place < 0 ? undefined : this.#ids[place];
  }

  set(token: string, id: number): this {
    if (this.get(token) !== id) this.#later.set(token, id);
    return this;
  }

  /** The file's own tokens and ids. */
  *[Symbol.iterator](): Iterator<[string, number]> {
    for (let place = 0; place < this.#ids.length; place++) {
      const token = this.#textOf(place);
      // One that comes twice is in its first place only.
      if (this.#placeOf(token) === place) yield [token, this.#ids[place] as number];
    }
  }

  #textOf(place: number): string {
    const end = this.#starts[place + 1] as number;
    let text = '';
    // A call has a limit on its arguments.
    for (let at = this.#starts[place] as number; at < end; at += maxArguments) {
      text += String.fromCharCode(...this.#units.subarray(at, Math.min(end, at + maxArguments)));
    }
    return text;
  }

  /** -1 for a token that is not there. */
  #placeOf(token: string): number {
    const slots = this.#slots;
    let hash = 0;
    for (let i = 0; i < token.length; i++) hash = mix(hash, token.charCodeAt(i));
    for (let slot = hash & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
      const place = (slots[slot] as number) - 1;
      if (place < 0 || this.#holds(place, token)) return place;
    }
  }

  #holds(place: number, token: string): boolean {
    const start = this.#starts[place] as number;
    if ((this.#starts[place + 1] as number) - start !== token.length) return false;
    for (let i = 0; i < token.length; i++) if (this.#units[start + i] !== token.charCodeAt(i)) return false;
    return true;
  }

  /** False when too many others are in its way. */
  #insert(place: number): boolean {
    const slots = this.#slots;
    let slot = this.#hashOf(place) & (slots.length - 1);
    for (let probe = 0; probe < maxProbes; probe++) {
      const other = (slots[slot] as number) - 1;
      if (other < 0) {
        slots[slot] = place + 1;
        return true;
      }
      if (this.#areSame(place, other)) {
        this.#ids[other] = this.#ids[place] as number;
        return true;
      }
      slot = (slot + 1) & (slots.length - 1);
    }
    return false;
  }

  #hashOf(place: number): number {
    const end = this.#starts[place + 1] as number;
    let hash = 0;
    for (let at = this.#starts[place] as number; at < end; at++) hash = mix(hash, this.#units[at] as number);
    return hash;
  }

  #areSame(place: number, other: number): boolean {
    const [start, begin] = [this.#starts[place] as number, this.#starts[other] as number];
    const length = (this.#starts[place + 1] as number) - start;
    if ((this.#starts[other + 1] as number) - begin !== length) return false;
    for (let i = 0; i < length; i++) if (this.#units[start + i] !== this.#units[begin + i]) return false;
    return true;
  }
}

/** What a table is made of, which keeps it. */
export interface TokenParts {
  units: Uint16Array;
  starts: Uint32Array;
  ids: Int32Array;
}

/** FNV-1a over code units, with a fold so that the low bits depend on all of them. */
function mix(hash: number, unit: number): number {
  const product = Math.imul(hash ^ unit, 16_777_619);
  return product ^ (product >>> 15);
}
