/**
 * Where a model's special tokens go around one text or a pair of texts. Found out by sending two marks through the
 * tokenizer's own post-processor, so that every kind of post-processor is understood.
 */
import type { Tokenizer } from '@huggingface/tokenizers';
import { VecinityError } from '../errors.js';

export interface Slot {
  /** Id of a special token, or which text stands here. */
  content: number | 'first' | 'second';
  typeId: number;
}

export interface Template {
  slots: readonly Slot[];
  /** Special tokens in all. */
  specials: number;
  /** Special tokens before the first text. */
  leading: number;
}

// Marks that no vocabulary has, because control characters are removed or escaped before one is made.
const marks = { first: '\u0001first\u0001', second: '\u0001second\u0001' };

/** No special tokens at all. */
export const bareTemplate: Template = { slots: [{ content: 'first', typeId: 0 }], specials: 0, leading: 0 };

/** Throws `model_file_invalid` when the tokenizer's template does not hold the texts or names an unknown token. */
export function findTemplate(tokenizer: Tokenizer, pair: boolean): Template {
  const second = pair ? [marks.second] : null;
  const processed = tokenizer.post_processor?.([marks.first], second, true) ?? {
    tokens: [marks.first, ...(second ?? [])],
  };
  const slots = processed.tokens.map((token, place) => ({
    content: contentOf(token, tokenizer),
    typeId: processed.token_type_ids?.[place] ?? 0,
  }));
  const texts = slots.filter((slot) => typeof slot.content === 'string').length;
  if (texts !== (pair ? 2 : 1)) throw invalid('does not place the texts');
  return {
    slots,
    specials: slots.length - texts,
    leading: slots.findIndex((slot) => slot.content === 'first'),
  };
}

function contentOf(token: string, tokenizer: Tokenizer): Slot['content'] {
  if (token === marks.first) return 'first';
  if (token === marks.second) return 'second';
  const id = tokenizer.token_to_id(token);
  if (id !== undefined) return id;
  throw invalid(`names the token ${token}, which is not in the vocabulary`);
}

function invalid(reason: string): VecinityError {
  return new VecinityError('model_file_invalid', `The post_processor of tokenizer.json ${reason}.`);
}

/** Puts texts into a template: the ids, and the segment ids of the same length. */
export function fillTemplate(
  template: Template,
  first: readonly number[],
  second: readonly number[] = [],
): { inputIds: Int32Array; typeIds: Int32Array } {
  const length = template.specials + first.length + second.length;
  const inputIds = new Int32Array(length);
  const typeIds = new Int32Array(length);
  let place = 0;
  for (const { content, typeId } of template.slots) {
    const ids = content === 'first' ? first : content === 'second' ? second : [content];
    inputIds.set(ids, place);
    typeIds.fill(typeId, place, place + ids.length);
    place += ids.length;
  }
  return { inputIds, typeIds };
}
