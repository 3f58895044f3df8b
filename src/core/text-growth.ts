/**
 * How much longer the steps before a vocabulary can make a text: each may be harmless, and thirty of them make
 * gigabytes of one letter. Unicode's own forms (at most 18 characters of one, once) are not counted.
 */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';
import { stringField } from '../models/json-fields.js';

/**
 * The most characters that one may become in a normalizer or pre_tokenizer of tokenizer.json. Throws
 * `model_file_invalid` for steps without an end, and for texts to put in that the library would not put in as they are.
 */
export function growthOf(step: unknown): number {
  if (!isObject(step)) return 1;
  switch (step.type) {
    case 'Sequence':
      return [step.normalizers, step.pretokenizers]
        .flat()
        .reduce((product: number, part) => product * growthOf(part), 1);
    case 'Replace':
      return growthOfReplace(step);
    case 'Prepend':
      return 1 + widest(stringField(step, 'prepend') ?? '');
    case 'Metaspace':
      return Math.max(1, widest(stringField(step, 'str_rep') || (stringField(step, 'replacement') ?? '')));
    case 'ByteLevel':
      return 3;
    case 'BertNormalizer':
      return step.handle_chinese_chars ? 3 : 1;
    case 'FixedLength':
      requireLength(step.length);
      return 1;
    default:
      return 1;
  }
}

function growthOfReplace(step: JsonObject): number {
  const content = stringField(step, 'content') ?? '';
  // In JavaScript these stand for parts of the text, in the original library for themselves.
  if (/\$[$&`'\d<]/.test(content))
    throw invalidTokenizer(`a Replace has the content ${JSON.stringify(content.slice(0, 40))}`);
  const pattern = isObject(step.pattern) ? stringField(step.pattern, 'String') : null;
  if (pattern !== null && pattern !== '') return Math.max(1, Math.ceil(widest(content) / pattern.length));
  // A pattern may match between two characters, where its content comes in beside them.
  return matchesNothing(step) ? 1 + widest(content) : Math.max(1, widest(content));
}

function matchesNothing({ pattern }: JsonObject): boolean {
  const regex = isObject(pattern) ? stringField(pattern, 'Regex') : null;
  if (regex === null) return true;
  try {
    return new RegExp(regex, 'u').test('');
  } catch {
    // The library rewrites patterns of another dialect before it compiles them.
    return true;
  }
}

/** Characters of a text that a later step has taken apart. */
function widest(text: string): number {
  const apart = text.normalize('NFKD');
  return Math.max(text.length, apart.length, apart.toLowerCase().length);
}

function requireLength(length: unknown): void {
  if (Number.isInteger(length) && Number(length) > 0) return;
  throw invalidTokenizer(`the length of FixedLength is ${JSON.stringify(length)}; a whole number above 0 is allowed`);
}

/** What tokenizer.json must not say, as `model_file_invalid`. */
export function invalidTokenizer(reason: string): VecinityError {
  return new VecinityError('model_file_invalid', `The file tokenizer.json cannot be used: ${reason}.`);
}
