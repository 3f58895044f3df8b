/**
 * The tokenizer's library behind a border. What it does is decided by tokenizer.json, which may come from anywhere: a
 * call may fail in any way or have no end, and leaves here with an error that has a code. Knows nothing of truncation.
 */
import type { Tokenizer as Library } from '@huggingface/tokenizers';
import { VecinityError, wordsOf } from '../errors.js';
import { inTime } from './deadline.js';
import { findTemplate, type Template } from './template.js';
import { checkTokenizer } from './tokenizer-check.js';
import { createLibrary } from './tokenizer-library.js';

/** Large vocabularies take seconds on a slow machine. */
const loadMs = 60_000;
/** The slowest texts took two microseconds a character where they were measured. */
const callMs = 2_000;
const callMsPerChar = 0.01;
/** Characters that a text may become before it is looked up. */
const maxGrownChars = 2 ** 24;

export class HubTokenizer {
  readonly #library: Library;
  readonly #model: string;
  readonly #maxChars: number;
  readonly single: Template;
  readonly pair: Template;

  /** Throws `model_file_invalid` when the files do not describe a tokenizer; `model` is for messages. */
  constructor(tokenizerJson: unknown, tokenizerConfig: unknown, model: string) {
    this.#model = model;
    const load = () => {
      const growth = checkTokenizer(tokenizerJson, tokenizerConfig);
      // The library checks the objects itself and throws; it takes anything that is an object.
      const library = createLibrary(tokenizerJson as object, tokenizerConfig as object);
      return { library, growth, single: findTemplate(library, false), pair: findTemplate(library, true) };
    };
    const { library, growth, single, pair } = this.#call('cannot be used', load, loadMs);
    this.#maxChars = Math.floor(maxGrownChars / growth);
    this.#library = library;
    this.single = single;
    this.pair = pair;
  }

  /**
   * The tokens of a text without special ones. Throws `context_length_exceeded` for a text that is too much for the
   * library, `model_file_invalid` for everything else that goes wrong in it.
   */
  encode(text: string): number[] {
    if (text.length > this.#maxChars)
      throw tooMuch(`takes texts of up to ${this.#maxChars} characters, got ${text.length}`);
    const encode = () => this.#library.encode(text, { add_special_tokens: false });
    const { ids } = this.#convert(`cannot tokenize a text of ${text.length} characters`, encode, text.length);
    // A vocabulary without an unknown token yields undefined for what it lacks; such characters have no token.
    return ids.filter((id) => id !== undefined);
  }

  /** Throws `model_file_invalid`. */
  decode(ids: ArrayLike<number>, skipSpecialTokens: boolean): string {
    if (ids.length === 0) return '';
    const decode = () => this.#library.decode(Array.from(ids), { skip_special_tokens: skipSpecialTokens });
    return this.#convert(`cannot decode ${ids.length} tokens`, decode, ids.length);
  }

  /** A token as the vocabulary writes it; '' for an id that it does not have. */
  pieceOf(id: number): string {
    return this.#library.id_to_token(id) ?? '';
  }

  /** A call whose input of so many characters or tokens may be more than the library can take. */
  #convert<Value>(failing: string, work: () => Value, length: number): Value {
    const convert = () => {
      try {
        return work();
      } catch (cause) {
        throw cause instanceof RangeError ? tooMuch(`${failing}: ${cause.message}`, cause) : cause;
      }
    };
    return this.#call(failing, convert, callMs + length * callMsPerChar);
  }

  #call<Value>(failing: string, work: () => Value, limitMs: number): Value {
    try {
      return inTime(work, limitMs);
    } catch (cause) {
      if (cause instanceof VecinityError) throw cause;
      const message = `The tokenizer.json of ${this.#model} ${failing}: ${wordsOf(cause)}.`;
      throw new VecinityError('model_file_invalid', message, { cause });
    }
  }
}

/** More tokens than the stack holds, or more characters than a string: that is up to the length of the text. */
function tooMuch(problem: string, cause?: RangeError): VecinityError {
  const message = `The tokenizer ${problem}; the input length exceeds the context length.`;
  return new VecinityError('context_length_exceeded', message, { param: 'input', cause });
}
