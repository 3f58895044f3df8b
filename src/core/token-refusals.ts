/** What a tokenizer refuses, and in which words; when it does is decided in `model-tokenizer.ts`. */
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';

/** Tokens that came, and that are allowed. */
interface TokenCount {
  tokens: number;
  limit: number;
}

/** `context_length_exceeded` for an input, or for the document of a pair; `index` is its place in the request. */
export function tooLong({ tokens, limit }: TokenCount, what: 'input' | 'document', index?: number): VecinityError {
  const which = index === undefined ? what : `${what} ${index}`;
  return new VecinityError(
    'context_length_exceeded',
    `${which} is too large: ${tokens} tokens, the model's maximum context length is ${limit} tokens; the input ` +
      'length exceeds the context length. Please reduce the length of the input prompt, or set truncate.',
    { param: what === 'input' ? 'input' : 'documents' },
  );
}

/** `context_length_exceeded` for a query, which is never cut. */
export function queryTooLong({ tokens, limit }: TokenCount): VecinityError {
  return new VecinityError(
    'context_length_exceeded',
    `query is too large: ${tokens} tokens, the model's maximum context length is ${limit} tokens and a document ` +
      'must fit beside it; the input length exceeds the context length. Please shorten the query.',
    { param: 'query' },
  );
}

/** `invalid_request` for an id that the model's vocabulary does not have. */
export function foreignId(id: number, { vocabSize, id: model }: Pick<ModelSpec, 'id' | 'vocabSize'>): VecinityError {
  return new VecinityError(
    'invalid_request',
    `input holds the token id ${id}, but ids of ${model} are integers from 0 to ${vocabSize - 1}. Ids of another ` +
      "vocabulary, such as tiktoken's, do not fit: send text instead (LangChain: check_embedding_ctx_length=False).",
    { param: 'input' },
  );
}

/** `invalid_request` for a limit of the caller that leaves no room for a single token of content. */
export function noRoomForContent({ limit, least }: { limit: number; least: number }, model: string): VecinityError {
  const message = `max_tokens is ${limit}; it must be ${least} or more for ${model}.`;
  return new VecinityError('invalid_request', message, { param: 'max_tokens' });
}

/** `invalid_request` for an input that is nothing without the special tokens that the caller does not want. */
export function withoutTokens(index = 0): VecinityError {
  const message = `input ${index} has no tokens at all without the special ones; send a text, or let them be added.`;
  return new VecinityError('invalid_request', message, { param: 'input' });
}

/** `invalid_request` for one of several inputs in a shared context that has nothing to average. */
export function emptyChunk(index: number): VecinityError {
  const message = `input[${index}] has no tokens of its own, so it has no vector in a shared context; leave it out.`;
  return new VecinityError('invalid_request', message, { param: 'input' });
}
