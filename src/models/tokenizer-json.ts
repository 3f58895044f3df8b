/**
 * Reads tokenizer.json so that its vocabulary, which is nearly all of it, never becomes an object: that goes from the
 * file's bytes into a table. What is not in the usual form is left to the platform's parser.
 */
import { isObject } from '../json-object.js';
import { release } from '../release.js';
import { TokenTable } from './token-table.js';

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Stands for the vocabulary that was read; no vocabulary is a text. */
const standIn = 'the table';

/** The file's value; `model.vocab` is a `TokenTable` where it was an object from tokens to ids. Throws as `JSON.parse`. */
export function parseTokenizerJson(bytes: Uint8Array): unknown {
  return parseWithTable(bytes) ?? JSON.parse(new TextDecoder().decode(bytes));
}

/** Null for a file that is to be parsed as any other. */
function parseWithTable(bytes: Uint8Array): unknown {
  const scanner = new Scanner(bytes);
  if (!scanner.enter('model') || !scanner.enter('vocab')) return null;
  const start = scanner.at;
  const end = scanner.endOfValue();
  const table = end === null ? null : readTable(bytes.subarray(start, end));
  if (table === null || end === null) return null;
  // A byte order mark in the middle of a file is none.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const value: unknown = JSON.parse(
    `${decoder.decode(bytes.subarray(0, start))}${JSON.stringify(standIn)}${decoder.decode(bytes.subarray(end))}`,
  );
  const model = isObject(value) ? value.model : null;
  // Of a name that comes twice the last value counts, and that was not the one that was read.
  if (!isObject(model) || model.vocab !== standIn) return null;
  model.vocab = table;
  return value;
}

/** Walks over JSON without making values of it. What is no JSON is left for the parser to find. */
class Scanner {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** From an object to the value of its field of this name; false when there is none. */
  enter(name: string): boolean {
    const field = Uint8Array.from(`"${name}"`, (char) => char.charCodeAt(0));
    if (!this.#take(openBrace)) return false;
    do {
      this.#skipSpace();
      const start = this.at;
      if (this.#bytes[start] !== quote) return false;
      this.#skipString();
      // A name's quote ends it, so none can be longer.
      const isField = field.every((byte, i) => byte === this.#bytes[start + i]);
      if (!this.#take(colon)) return false;
      this.#skipSpace();
      if (isField) return true;
      this.at = this.endOfValue() ?? this.#bytes.length;
    } while (this.#take(comma));
    return false;
  }

  /** Null when the file ends before the value that begins here. */
  endOfValue(): number | null {
    const start = this.at;
    let depth = 0;
    while (this.at < this.#bytes.length) {
      const byte = this.#bytes[this.at] as number;
      // A square bracket's code is a brace's without this bit.
      const bracket = byte | 0x20;
      if (depth === 0 && (byte === comma || bracket === closeBrace)) break;
      if (byte === quote) this.#skipString();
      else this.at += 1;
      if (bracket === openBrace) depth += 1;
      if (bracket === closeBrace && --depth === 0) break;
    }
    const end = this.at;
    this.at = start;
    return end < this.#bytes.length ? end : null;
  }

  #take(byte: number): boolean {
    this.#skipSpace();
    if (this.#bytes[this.at] !== byte) return false;
    this.at += 1;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#bytes[this.at])) this.at += 1;
  }

  #skipString(): void {
    this.at = endOfString(this.#bytes, this.at);
  }
}

/** A flat object from strings to whole numbers; null for anything else. */
function readTable(bytes: Uint8Array): TokenTable | null {
  const reader = new VocabularyReader(bytes);
  const parts = reader.read();
  return parts && TokenTable.create(parts);
}

/** The shortest entry of a vocabulary: `"":0,`. */
const leastEntryBytes = 5;

class VocabularyReader {
  readonly #bytes: Uint8Array;
  readonly #units: Uint16Array;
  readonly #starts: Uint32Array;
  readonly #ids: Int32Array;
  #at = 0;
  #unitCount = 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    const most = Math.ceil(bytes.length / leastEntryBytes) + 1;
    this.#bytes = bytes;
    // A byte makes one unit at most.
    this.#units = new Uint16Array(bytes.length);
    this.#starts = new Uint32Array(most + 1);
    this.#ids = new Int32Array(most);
  }

  read() {
    const isWhole = this.#readEntries();
    const parts = {
      units: this.#units.slice(0, this.#unitCount),
      starts: this.#starts.slice(0, this.#count + 1),
      ids: this.#ids.slice(0, this.#count),
    };
    for (const array of [this.#units, this.#starts, this.#ids]) release(array);
    return isWhole ? parts : null;
  }

  #readEntries(): boolean {
    if (!this.#take(openBrace)) return false;
    do {
      if (!this.#take(quote) || !this.#readToken() || !this.#take(colon) || !this.#readId()) return false;
      this.#count += 1;
      this.#starts[this.#count] = this.#unitCount;
    } while (this.#take(comma));
    return this.#take(closeBrace);
  }

  #take(byte: number): boolean {
    while (isSpace(this.#bytes[this.#at])) this.#at += 1;
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  /** From behind the opening quote to behind the closing one. */
  #readToken(): boolean {
    const bytes = this.#bytes;
    for (let at = this.#at; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) {
        this.#at = at + 1;
        return true;
      }
      if (byte === backslash || byte >= 0x80) return this.#readOther(at);
      if (byte < 0x20) return false;
      this.#units[this.#unitCount++] = byte;
    }
    return false;
  }

  /** The rest of a token from an escape or a letter of several bytes on, as the platform reads it. */
  #readOther(from: number): boolean {
    const end = endOfString(this.#bytes, from - 1);
    try {
      const rest: string = JSON.parse(`"${strict.decode(this.#bytes.subarray(from, end))}`);
      for (let i = 0; i < rest.length; i++) this.#units[this.#unitCount++] = rest.charCodeAt(i);
      this.#at = end;
      return true;
    } catch {
      return false;
    }
  }

  #readId(): boolean {
    while (isSpace(this.#bytes[this.#at])) this.#at += 1;
    const start = this.#at;
    let id = 0;
    for (; isDigit(this.#bytes[this.#at]); this.#at++) id = id * 10 + (this.#bytes[this.#at] as number) - 0x30;
    const digits = this.#at - start;
    // JSON has no leading zeros.
    if (digits === 0 || (digits > 1 && this.#bytes[start] === 0x30) || id >= 2 ** 31) return false;
    this.#ids[this.#count] = id;
    return true;
  }
}

/** Throws for what is not UTF-8, and takes a byte order mark for a letter. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where the string that begins at a quote is over: behind its other quote, or where the bytes end. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return Math.min(bytes.length, at + 1);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
