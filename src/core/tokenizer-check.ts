/**
 * What the tokenizer's library takes on trust in tokenizer.json: ids that are no ids become other tokens silently, and
 * numbers and texts that no model has cost minutes or gigabytes. How a text may grow is in `text-growth.ts`.
 */
import { fieldOf, isObject, type JsonObject } from '../json-object.js';
import { objectField, stringField } from '../models/json-fields.js';
import { growthOf, invalidTokenizer } from './text-growth.js';

/** The usual limit is 100. The work for one word grows with its square. */
const maxWordChars = 1_000;
/** A few are usual. Every word gets one, and keeps it while its text is tokenized. */
const maxAffixChars = 16;
/** SentencePiece makes none of more than 16. Each character may begin as many tokens as the longest one has characters. */
const maxUnigramChars = 128;
/** Hundreds are usual. The library looks for each additional special token among all others. */
const maxAddedTokens = 100_000;
const maxAdditionalTokens = 2_000;
/**
 * Three are usual: of a letter to its bytes, or with a space on either side of it. Steps that each put a word for a sign
 * count as if they fed each other, so there is room for some; what the library is given at once is limited by it.
 */
const maxGrowth = 128;

const affixes = ['continuing_subword_prefix', 'continuing_subword_suffix', 'end_of_word_suffix'];

/**
 * The most characters that one may become before it is looked up. Throws `model_file_invalid` for what the files must
 * not say; their structure is the library's business.
 */
export function checkTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): number {
  if (!isObject(tokenizerJson)) throw invalidTokenizer('it is not an object');
  const model = objectField(tokenizerJson, 'model');
  checkModel(model);
  const added = listOf(tokenizerJson.added_tokens);
  requireFew('added_tokens', added, maxAddedTokens);
  const additional = listOf(fieldOf(tokenizerConfig, 'additional_special_tokens'));
  requireFew('additional_special_tokens of tokenizer_config.json', additional, maxAdditionalTokens);
  for (const token of listOf(tokenizerJson.added_tokens))
    requireId(String(fieldOf(token, 'content')), fieldOf(token, 'id'));
  const growth = growthOf(tokenizerJson.normalizer) * growthOf(tokenizerJson.pre_tokenizer);
  if (growth <= maxGrowth) return growth;
  throw invalidTokenizer(
    `its normalizer and pre_tokenizer may make ${growth} characters of one; up to ${maxGrowth} are allowed`,
  );
}

function requireFew(name: string, list: readonly unknown[], most: number): void {
  if (list.length > most) throw invalidTokenizer(`${name} has ${list.length} entries; up to ${most} are allowed`);
}

function checkModel(model: JsonObject | null): void {
  const limit = model?.max_input_chars_per_word;
  if (typeof limit === 'number' && !(limit <= maxWordChars)) {
    throw invalidTokenizer(`max_input_chars_per_word is ${limit}; up to ${maxWordChars} is allowed`);
  }
  const long = affixes.find((name) => (stringField(model, name) ?? '').length > maxAffixChars);
  if (long !== undefined) throw invalidTokenizer(`model.${long} has more than the ${maxAffixChars} characters allowed`);
  const vocab = objectField(model, 'vocab') ?? {};
  // A list of all pairs costs as much as the rest of the tokenizer: it is made where there is something to tell.
  if (!Object.values(vocab).every(isId)) for (const [token, id] of Object.entries(vocab)) requireId(token, id);
  // In a list, as of Unigram, the place is the id.
  for (const entry of listOf(model?.vocab)) requireScored(entry);
}

function requireScored(entry: unknown): void {
  const [token, score] = Array.isArray(entry) ? entry : [];
  const isSound = typeof token === 'string' && token.length <= maxUnigramChars && Number.isFinite(score);
  if (isSound) return;
  const words = `a list of a token of at most ${maxUnigramChars} characters and its score`;
  throw invalidTokenizer(`model.vocab holds ${JSON.stringify(entry)?.slice(0, 80)}; it must hold ${words}`);
}

function isId(id: unknown): boolean {
  return Number.isInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 31;
}

function requireId(token: string, id: unknown): void {
  if (isId(id)) return;
  throw invalidTokenizer(`the token ${JSON.stringify(token.slice(0, 40))} has the id ${JSON.stringify(id)}`);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
