/**
 * How a vocabulary gets into the tokenizer's library. Left to itself, that lists every token with its id and keeps the
 * whole file beside its own tables: megabytes that a worker's heap grows by and seldom gives back.
 */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { isObject, type JsonObject } from '../json-object.js';

/** Models that look tokens up in two tables and read nothing else of their vocabulary. */
const lookedUp: ReadonlySet<unknown> = new Set(['WordPiece', 'BPE']);

interface AddedToken {
  content: string;
  id: number;
}

/** The library's tokenizer of a tokenizer.json that was checked. Throws what the library throws. */
export function createLibrary(tokenizerJson: object, tokenizerConfig: object): Library {
  const { model, added_tokens: added } = tokenizerJson as { model?: unknown; added_tokens?: readonly AddedToken[] };
  if (!isObject(model) || !lookedUp.has(model.type) || !isObject(model.vocab)) {
    return new Library(tokenizerJson, tokenizerConfig);
  }
  const { vocab, unk_token: unknown } = model;
  // The one id that is looked up at once.
  const first = typeof unknown === 'string' && Object.hasOwn(vocab, unknown) ? { [unknown]: vocab[unknown] } : {};
  const library = new Library({ ...tokenizerJson, model: { ...model, vocab: first } }, tokenizerConfig);
  fillTables(library, vocab, added ?? []);
  return library;
}

/** As the library does: the vocabulary, and over it the added tokens. */
function fillTables({ model }: Library, vocab: JsonObject, added: readonly AddedToken[]): void {
  if (model === null) return;
  const tokens = Object.keys(vocab);
  const ids = new Map<string, number>();
  const byId = new Array<string>(tokens.length);
  const put = (token: string, id: number): void => {
    ids.set(token, id);
    byId[id] = token;
  };
  // That ids are whole numbers was checked.
  for (const token of tokens) put(token, vocab[token] as number);
  for (const { content, id } of added) put(content, id);
  model.tokens_to_ids = ids;
  model.vocab = byId;
}
