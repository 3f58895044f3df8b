/**
 * Tokens of a text that may be far longer than any model reads: only as much of it is tokenized as is needed, so that a
 * giant text costs neither its worker's time nor gigabytes of memory. Knows nothing of special tokens.
 */
import { VecinityError } from '../errors.js';

/** Texts up to here are tokenized as they are. */
const firstPartChars = 65_536;
const growth = 4;
/** What is longer, and still has too few tokens in so many characters, is no text. */
export const maxChars = firstPartChars * growth ** 3;

/** Tokens next to a cut may not be those of the whole text; so many of them are left out. */
const unsureTokens = 128;
/** A cut between words changes no word; it is looked for this near. */
const seekChars = 1_024;

export interface EnoughOptions {
  /** Tokens that are needed. */
  enough: number;
  /** True takes the text's last tokens instead of its first. */
  fromEnd: boolean;
  tokenize(text: string): number[];
}

/** The text's tokens, or at least `enough` of them from one end; then `whole` is false. Throws as `checkChars`. */
export function tokenizeEnough(text: string, { enough, fromEnd, tokenize }: EnoughOptions): TokenizedPart {
  for (let chars = firstPartChars; chars < text.length && chars <= maxChars; chars *= growth) {
    const ids = tokenize(fromEnd ? lastPart(text, chars) : firstPart(text, chars));
    if (ids.length < enough + unsureTokens) continue;
    return { ids: fromEnd ? ids.slice(unsureTokens) : ids.slice(0, -unsureTokens), whole: false };
  }
  checkChars(text);
  return { ids: tokenize(text), whole: true };
}

/** What a call of the tokenizer costs beside its text, in characters. */
const callChars = 64;

/**
 * The tokens of ids and texts in a row, or at least `enough` of them from one end; then `whole` is false. As with one
 * text, so many characters are always tokenized. Throws as `checkChars`.
 */
export function tokenizeRow(parts: readonly (number | string)[], options: EnoughOptions): TokenizedPart {
  const { enough, fromEnd } = options;
  const found: (number | number[])[] = [];
  let [length, chars, whole] = [0, 0, true];
  for (let step = 0; step < parts.length && whole; step += 1) {
    const part = parts[fromEnd ? parts.length - 1 - step : step] ?? '';
    const isText = typeof part === 'string';
    const own = isText ? tokenizeEnough(part, options) : null;
    found.push(own?.ids ?? Number(part));
    length += own?.ids.length ?? 1;
    chars += isText ? part.length + callChars : 0;
    whole = own?.whole !== false && (chars <= firstPartChars || length < enough);
    if (chars > maxChars && whole) throw tooManyChars(chars);
  }
  return { ids: (fromEnd ? found.reverse() : found).flat(), whole };
}

export interface TokenizedPart {
  ids: number[];
  whole: boolean;
}

/** Throws `context_length_exceeded` for a text of which all tokens are needed and that is too long for that. */
export function checkChars(text: string): void {
  if (text.length > maxChars) throw tooManyChars(text.length);
}

function tooManyChars(chars: number): VecinityError {
  const message =
    `The text is too large: ${chars} characters, of which at most ${maxChars} are read; the input length ` +
    'exceeds the context length. Please send a shorter text.';
  return new VecinityError('context_length_exceeded', message, { param: 'input' });
}

function firstPart(text: string, chars: number): string {
  for (let end = chars; end > chars - seekChars; end -= 1) if (isSpace(text, end)) return text.slice(0, end);
  return text.slice(0, isPairAt(text, chars) ? chars - 1 : chars);
}

/** Begins with the space, as the word after it does in the whole text. */
function lastPart(text: string, chars: number): string {
  const least = text.length - chars;
  for (let start = least; start < least + seekChars; start += 1) if (isSpace(text, start)) return text.slice(start);
  return text.slice(isPairAt(text, least) ? least + 1 : least);
}

function isSpace(text: string, at: number): boolean {
  return /\s/.test(text.charAt(at));
}

/** Whether a cut here would split a character of two UTF-16 units. */
function isPairAt(text: string, at: number): boolean {
  return /^[\udc00-\udfff]$/.test(text.charAt(at)) && /^[\ud800-\udbff]$/.test(text.charAt(at - 1));
}
