/**
 * Texts, pairs and given ids to the exact tokens that a model was trained on, cut to what it can read. The content is
 * cut, the special tokens stay. Padding and truncation that tokenizer.json asks for are left aside: the batch pads.
 */
import type { EngineInput, Token } from './engine.js';
import type { HubTokenizer } from './hub-tokenizer.js';
import { checkChars, type TokenizedPart, tokenizeEnough, tokenizeRow } from './long-text.js';
import { bareTemplate, fillTemplate, type Template } from './template.js';
import { emptyChunk, foreignId, noRoomForContent, queryTooLong, tooLong, withoutTokens } from './token-refusals.js';
import { byteSlicer, findByteSpans, findSpans } from './token-spans.js';
import type { ChunksEncoding, EncodeOptions, Encoding, PairOptions, Tokenizer, TokenizerSpec } from './tokenizer.js';
import { cutPair, type PairLimits } from './truncation.js';
import { checkIds } from './vocabulary.js';

/** So many times the tokens that fit are counted of texts that are read as one; what follows is not read any more. */
const chunksBeyond = 64;

export class ModelTokenizer implements Tokenizer {
  readonly #tokenizer: HubTokenizer;
  readonly #spec: TokenizerSpec;
  readonly #single: Template;
  readonly #pair: Template;
  readonly #hasSegments: boolean;
  readonly #isByteLevel: boolean;
  /** One query meets many documents: its tokens are kept. */
  #lastQuery: { text: string; ids: readonly number[] } | null = null;

  constructor(tokenizer: HubTokenizer, spec: TokenizerSpec, byteLevel: boolean) {
    this.#isByteLevel = byteLevel;
    this.#tokenizer = tokenizer;
    this.#spec = spec;
    this.#single = tokenizer.single;
    this.#pair = tokenizer.pair;
    this.#hasSegments = Number(spec.config.type_vocab_size ?? 0) > 1;
  }

  encode(text: string, options: EncodeOptions = {}): Encoding {
    const prompt = options.prompt ?? '';
    const left = options.truncateSide === 'left';
    const template = options.addSpecialTokens === false ? bareTemplate : this.#single;
    const room = this.#limit(options.maxTokens, template) - template.specials;
    const { ids: content, whole } = this.#someIds(prompt + text, room, left);
    const totalTokens = content.length + template.specials;
    if (totalTokens === 0 && options.addSpecialTokens === false) throw withoutTokens(options.index);
    const excess = Math.max(0, content.length - room);
    if (excess > 0 && !options.truncate) {
      throw tooLong({ tokens: totalTokens, limit: room + template.specials }, 'input', options.index);
    }
    const kept = left ? content.slice(excess) : content.slice(0, content.length - excess);
    return {
      inputIds: fillTemplate(template, kept).inputIds,
      typeIds: null,
      truncated: excess > 0,
      totalTokens,
      skippedTokens: this.#skippedTokens(prompt, {
        leading: template.leading,
        cutFromLeft: left ? (whole ? excess : Number.POSITIVE_INFINITY) : 0,
        keptTokens: kept.length,
      }),
    };
  }

  encodePair(query: string, document: string, options: PairOptions = {}): Encoding {
    // As transformers does and as the models were trained: without a document there is no second segment.
    if (document === '') return this.#encodeQueryAlone(query, options);
    const limit = this.#limit(options.maxTokens, this.#pair);
    const first = this.#queryIds(query);
    const room = limit - this.#pair.specials;
    const { ids: second, whole } = this.#someIds(document, room, false);
    const limits: PairLimits = {
      room,
      second: options.maxTokensPerDocument ?? Number.POSITIVE_INFINITY,
      strategy: options.strategy ?? 'only_second',
    };
    const kept = cutPair(first.length, whole ? second.length : Number.POSITIVE_INFINITY, limits);
    const totalTokens = first.length + second.length + this.#pair.specials;
    if (kept === null) throw queryTooLong({ tokens: first.length + this.#pair.specials, limit });
    if (kept.overflow && !options.truncate) {
      throw tooLong({ tokens: totalTokens, limit }, 'document', options.index);
    }
    const filled = fillTemplate(this.#pair, first.slice(0, kept.first), second.slice(0, kept.second));
    return {
      inputIds: filled.inputIds,
      typeIds: this.#hasSegments ? filled.typeIds : null,
      truncated: !whole || kept.first < first.length || kept.second < second.length,
      totalTokens,
      skippedTokens: 0,
    };
  }

  encodeIds(parts: readonly (number | string)[], options: EncodeOptions = {}): Encoding {
    const left = options.truncateSide === 'left';
    const limit = this.#limit(options.maxTokens);
    const ids = this.#sequenceIds(parts, limit, left);
    const excess = Math.max(0, ids.length - limit);
    if (excess > 0 && !options.truncate) throw tooLong({ tokens: ids.length, limit }, 'input', options.index);
    const kept = left ? ids.slice(excess) : ids.slice(0, ids.length - excess);
    return {
      inputIds: Int32Array.from(kept),
      typeIds: null,
      truncated: excess > 0,
      totalTokens: ids.length,
      skippedTokens: 0,
    };
  }

  encodeChunks(chunks: readonly EngineInput[], { prompt = '' }: { prompt?: string } = {}): ChunksEncoding {
    const limit = this.#limit(null, this.#single);
    const before = this.#contentIds(prompt);
    const ids = [...before];
    const offsets = new Int32Array(chunks.length + 1).fill(this.#single.leading + before.length);
    chunks.forEach((chunk, index) => {
      // What is beyond the limit by as much as this is only counted as far as it was read.
      if (ids.length > limit * chunksBeyond) throw tooLong({ tokens: ids.length, limit }, 'input');
      const own = this.#sequenceIds(typeof chunk === 'string' ? [chunk] : chunk, limit, false);
      if (own.length === 0) throw emptyChunk(index);
      for (const id of own) ids.push(id);
      offsets[index + 1] = this.#single.leading + ids.length;
    });
    const totalTokens = ids.length + this.#single.specials;
    if (totalTokens > limit) throw tooLong({ tokens: totalTokens, limit }, 'input');
    const { inputIds } = fillTemplate(this.#single, ids);
    return { inputIds, typeIds: null, truncated: false, totalTokens, skippedTokens: 0, offsets };
  }

  decode(ids: ArrayLike<number>, { skipSpecialTokens = true } = {}): string {
    return this.#tokenizer.decode(ids, skipSpecialTokens);
  }

  tokenize(text: string, { addSpecialTokens }: { addSpecialTokens: boolean }): Token[] {
    const ids = this.#contentIds(text);
    const pieces = ids.map((id) => this.#tokenizer.pieceOf(id));
    const spans = this.#isByteLevel ? findByteSpans(text, pieces) : findSpans(text, pieces);
    const slice = byteSlicer(text);
    const content = ids.map((id, place): Token => {
      const span = spans[place] ?? null;
      const shown = span ? slice(span) : (pieces[place] ?? '');
      return { id, text: shown, special: false, start: span?.start ?? null, stop: span?.stop ?? null };
    });
    if (!addSpecialTokens) return content;
    return this.#single.slots.flatMap((slot) => {
      if (typeof slot.content !== 'number') return content;
      return [
        { id: slot.content, text: this.#tokenizer.pieceOf(slot.content), special: true, start: null, stop: null },
      ];
    });
  }

  countTokens(text: string): number {
    return this.#contentIds(text).length + this.#single.specials;
  }

  /** All tokens of a text, or at least `enough` from one end of a giant one. */
  #someIds(text: string, enough: number, fromEnd: boolean): TokenizedPart {
    return tokenizeEnough(text, { enough, fromEnd, tokenize: (part) => this.#contentIds(part) });
  }

  #contentIds(text: string): number[] {
    if (text === '') return [];
    checkChars(text);
    const input = this.#spec.lowercase ? text.toLowerCase() : text;
    const ids = this.#tokenizer.encode(input);
    checkIds(ids, this.#spec, (id) => this.#tokenizer.pieceOf(id));
    return ids;
  }

  /** All ids of a sequence, or more than `enough` from one end of a giant one. */
  #sequenceIds(parts: readonly (number | string)[], enough: number, fromEnd: boolean): readonly number[] {
    const { vocabSize } = this.#spec;
    const isForeign = (id: number) => !Number.isInteger(id) || id < 0 || id >= vocabSize;
    const wrong = parts.find((part) => typeof part === 'number' && isForeign(part));
    if (typeof wrong === 'number') throw foreignId(wrong, this.#spec);
    if (parts.every((part) => typeof part === 'number')) return parts;
    return tokenizeRow(parts, { enough: enough + 1, fromEnd, tokenize: (part) => this.#contentIds(part) }).ids;
  }

  #queryIds(query: string): readonly number[] {
    if (this.#lastQuery?.text !== query) this.#lastQuery = { text: query, ids: this.#contentIds(query) };
    return this.#lastQuery.ids;
  }

  #encodeQueryAlone(query: string, options: PairOptions): Encoding {
    const limit = this.#limit(options.maxTokens, this.#single);
    const ids = this.#queryIds(query);
    const totalTokens = ids.length + this.#single.specials;
    if (totalTokens > limit) throw queryTooLong({ tokens: totalTokens, limit });
    const filled = fillTemplate(this.#single, ids);
    const typeIds = this.#hasSegments ? filled.typeIds : null;
    return { inputIds: filled.inputIds, typeIds, truncated: false, totalTokens, skippedTokens: 0 };
  }

  /** Tokens of one input at most. Throws when the caller leaves no room for a single token of content. */
  #limit(maxTokens: number | null | undefined, template?: Template): number {
    const limit = Math.min(maxTokens ?? Number.POSITIVE_INFINITY, this.#spec.maxTokens);
    const least = (template?.specials ?? 0) + 1;
    if (limit >= least) return limit;
    throw noRoomForContent({ limit, least }, this.#spec.id);
  }

  #skippedTokens(
    prompt: string,
    { leading, cutFromLeft, keptTokens }: Record<'leading' | 'cutFromLeft' | 'keptTokens', number>,
  ): number {
    if (this.#spec.includePrompt || prompt === '') return 0;
    // As sentence-transformers counts them: the space behind a prompt belongs to the first word, if to anything.
    const promptTokens = Math.max(0, this.#contentIds(prompt.trimEnd()).length - cutFromLeft);
    return leading + Math.min(promptTokens, keptTokens);
  }
}
