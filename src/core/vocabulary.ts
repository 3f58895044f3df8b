/**
 * Whether a tokenizer fits the weights: every id that a text becomes must have a row in the embedding table, which has as
 * many as config.json says. Files of two models or revisions are found here, before a device fails on them.
 */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';
import { objectField } from '../models/json-fields.js';
import type { ModelSpec } from '../models/spec.js';
import { TokenTable } from '../models/token-table.js';
import type { Template } from './template.js';

type Table = Pick<ModelSpec, 'id' | 'vocabSize'>;

/**
 * Throws `model_file_invalid` for a vocabulary that is larger than the table, or special tokens outside of it. Added
 * tokens may lie outside: many a model has some that no text of its users holds.
 */
export function checkVocabulary(tokenizerJson: unknown, templates: readonly Template[], table: Table): void {
  const largest = largestId(tokenizerJson);
  if (largest >= table.vocabSize) throw misfit(`has token ids up to ${largest}`, table);
  for (const { content } of templates.flatMap(({ slots }) => slots)) {
    if (typeof content === 'number' && content >= table.vocabSize)
      throw misfit(`puts the token ${content} around every text`, table);
  }
}

/** Throws `model_file_invalid` for an id without a row; `pieceOf` says what is written for it. */
export function checkIds(ids: readonly number[], table: Table, pieceOf: (id: number) => string): void {
  const wrong = ids.find((id) => id >= table.vocabSize);
  if (wrong === undefined) return;
  throw misfit(`makes the token ${wrong} of ${JSON.stringify(pieceOf(wrong).slice(0, 40))}`, table);
}

/** Of the vocabulary proper; -1 without one. In a list, as of Unigram, the place is the id. */
function largestId(tokenizerJson: unknown): number {
  const model = isObject(tokenizerJson) ? objectField(tokenizerJson, 'model') : null;
  if (Array.isArray(model?.vocab)) return model.vocab.length - 1;
  if (model?.vocab instanceof TokenTable) return model.vocab.largestId;
  let largest = -1;
  for (const id of Object.values(objectField(model, 'vocab') ?? {})) largest = Math.max(largest, Number(id));
  return largest;
}

function misfit(what: string, { id, vocabSize }: Table): VecinityError {
  const message =
    `The tokenizer.json of ${id} ${what}, and by config.json (vocab_size) its weights end at ${vocabSize - 1}: the files are ` +
    'not of one model. Take tokenizer.json, config.json and the weights from the same revision of one repository.';
  return new VecinityError('model_file_invalid', message);
}
