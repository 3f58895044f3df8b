/**
 * Whether what plain JavaScript gave an engine is a request at all, told before any of it is read. What a model allows is
 * in `request-limits.ts`; bodies of HTTP requests are checked in `src/api`.
 */
import { type Check, checkObject, isText, wrongOption } from './options.js';

/** What every item of a list must be, in words, and whether it is that. */
interface ListRule {
  item: string;
  check: Check;
  mayBeEmpty?: boolean;
}

const isString: Check = (value) => typeof value === 'string';
const texts: ListRule = { item: 'a text', check: isString };
const inputs: ListRule = {
  item: 'a text or a list of token ids',
  check: (value) => isString(value) || Array.isArray(value),
};
const textsOrPairs: ListRule = {
  item: 'a text or a pair of texts',
  check: (value) => isString(value) || (Array.isArray(value) && value.length === 2 && value.every(isString)),
};
const sequences: ListRule = { item: 'a list of token ids', check: Array.isArray };

/** The lists that each call reads. */
const lists = {
  embed: { inputs },
  embedTokens: { inputs },
  rerank: { documents: texts },
  classify: { inputs: textsOrPairs },
  tokenize: { texts: { ...texts, mayBeEmpty: true } },
  decode: { ids: { ...sequences, mayBeEmpty: true } },
} satisfies Record<string, Record<string, ListRule>>;

/** The calls of an engine that take a request. */
export type RequestKind = keyof typeof lists;

/** Throws `invalid_request` that names the field, what came and what is allowed. */
export function checkRequest(kind: RequestKind, request: unknown): void {
  checkObject(request, 'request');
  // Fields of a JavaScript object may be anything, or missing.
  const given = request as Record<string, unknown>;
  if (given.model !== null && !isText(given.model)) throw wrongOption('model', "a model's name or null", given.model);
  if (kind === 'rerank' && !isString(given.query)) throw wrongOption('query', 'a text', given.query);
  for (const [name, rule] of Object.entries<ListRule>(lists[kind])) checkList(name, given[name], rule);
}

function checkList(name: string, value: unknown, { item, check, mayBeEmpty = false }: ListRule): void {
  if (!Array.isArray(value) || (value.length === 0 && !mayBeEmpty)) {
    throw wrongOption(name, `a list${mayBeEmpty ? '' : ' of at least one item'}, each ${item}`, value);
  }
  const wrong = value.findIndex((entry) => !check(entry));
  if (wrong >= 0) throw wrongOption(`${name}[${wrong}]`, item, value[wrong]);
}
