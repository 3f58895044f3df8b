/**
 * How a vocabulary gets into the tokenizer's library. Left to itself, that lists every token with its id and keeps the
 * whole file beside its own tables: megabytes that a worker's heap grows by and seldom gives back.
 */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { isObject, type JsonObject } from '../json-object.js';
import { TokenTable } from '../models/token-table.js';

/** Models that look tokens up in two tables and read nothing else of their vocabulary. */
const lookedUp: ReadonlySet<unknown> = new Set(['WordPiece', 'BPE']);

interface AddedToken {
  content: string;
  id: number;
}

/** The library's tokenizer of a tokenizer.json that was checked. Throws what the library throws. */
export function createLibrary(tokenizerJson: object, tokenizerConfig: object): Library {
  const { model, added_tokens: added } = tokenizerJson as { model?: unknown; added_tokens?: readonly AddedToken[] };
  if (!isObject(model) || !isObject(model.vocab)) return new Library(tokenizerJson, tokenizerConfig);
  const withVocab = (vocab: JsonObject) =>
    new Library({ ...tokenizerJson, model: { ...model, vocab } }, tokenizerConfig);
  const ids = tableOf(model.vocab);
  if (!lookedUp.has(model.type)) return withVocab(Object.fromEntries(ids));
  const { unk_token: unknown } = model;
  const id = typeof unknown === 'string' ? ids.get(unknown) : undefined;
  // The one id that is looked up at once.
  const first = typeof unknown === 'string' && id !== undefined ? { [unknown]: id } : {};
  const library = withVocab(first);
  fillTables(library, ids, added ?? []);
  return library;
}

/** Tokens and their ids, which were checked to be whole numbers where they are looked up. */
function tableOf(vocab: JsonObject): TokenTable | Map<string, number> {
  return vocab instanceof TokenTable ? vocab : new Map(Object.entries(vocab) as [string, number][]);
}

/** As the library does: the vocabulary, and over it the added tokens. */
function fillTables({ model }: Library, ids: ReturnType<typeof tableOf>, added: readonly AddedToken[]): void {
  if (model === null) return;
  const own = ids instanceof TokenTable ? ids : [...ids];
  for (const { content, id } of added) ids.set(content, id);
  // Once it is made, the library only sets and gets single tokens.
  model.tokens_to_ids = ids as Map<string, number>;
  // What is written for an id is asked by few, and takes a string for each token.
  let tokens: string[] | null = null;
  Object.defineProperty(model, 'vocab', {
    configurable: true,
    get() {
      tokens ??= listById(own, added);
      return tokens;
    },
  });
}

function listById(ids: Iterable<[string, number]>, added: readonly AddedToken[]): string[] {
  const tokens: string[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  for (const { content, id } of added) tokens[id] = content;
  return tokens;
}
