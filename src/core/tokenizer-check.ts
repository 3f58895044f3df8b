/**
 * What the tokenizer's library takes on trust in tokenizer.json: ids that are no ids become other tokens silently, and
 * a limit that is too high makes one long word cost minutes.
 */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';
import { objectField } from '../models/json-fields.js';

/** The usual limit is 100. The work for one word grows with its square. */
const maxWordChars = 1_000;

/** Throws `model_file_invalid` for what the file must not say; its structure is the library's business. */
export function checkTokenizer(tokenizerJson: unknown): void {
  if (!isObject(tokenizerJson)) throw invalid('it is not an object');
  const model = objectField(tokenizerJson, 'model');
  const limit = model?.max_input_chars_per_word;
  if (typeof limit === 'number' && !(limit <= maxWordChars)) {
    throw invalid(`max_input_chars_per_word is ${limit}; up to ${maxWordChars} is allowed`);
  }
  // In a list, as of Unigram, the place is the id.
  for (const [token, id] of Object.entries(objectField(model, 'vocab') ?? {})) requireId(token, id);
  const added = Array.isArray(tokenizerJson.added_tokens) ? tokenizerJson.added_tokens : [];
  for (const token of added) requireId(String(token?.content), token?.id);
}

function requireId(token: string, id: unknown): void {
  if (Number.isInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 31) return;
  throw invalid(`the token ${JSON.stringify(token.slice(0, 40))} has the id ${JSON.stringify(id)}`);
}

function invalid(reason: string): VecinityError {
  return new VecinityError('model_file_invalid', `The file tokenizer.json cannot be used: ${reason}.`);
}
