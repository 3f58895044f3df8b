/**
 * Whether what plain JavaScript gave an engine is a request at all, told before any of it is read. What a model allows is
 * in `request-limits.ts`; bodies of HTTP requests are checked in `src/api`.
 */
import {
  aBoolean,
  type Check,
  callRules,
  checkObject,
  checkPart,
  isString,
  isText,
  limitFrom,
  oneOf,
  orNull,
  type Rules,
  wrongOption,
} from '../rules.js';
import type { ClassifyRequest, DecodeRequest, EmbedRequest, RerankRequest, TokenizeRequest } from './engine.js';

/** What every item of a list must be, in words, and whether it is that. */
interface ListRule {
  item: string;
  check: Check;
  mayBeEmpty?: boolean;
}

const texts: ListRule = { item: 'a text', check: isString };
const inputs: ListRule = {
  item: 'a text or a list of token ids',
  check: (value) => isString(value) || (Array.isArray(value) && value.every(isIdOrText)),
};
const textsOrPairs: ListRule = {
  item: 'a text or a pair of texts',
  check: (value) => isString(value) || (Array.isArray(value) && value.length === 2 && value.every(isString)),
};
const sequences: ListRule = {
  item: 'a list of token ids',
  check: (value) => Array.isArray(value) && value.every(isNumber),
};

/** The lists that each call reads. */
const lists = {
  embed: { inputs },
  embedTokens: { inputs },
  rerank: { documents: texts },
  classify: { inputs: textsOrPairs },
  tokenize: { texts: { ...texts, mayBeEmpty: true } },
  decode: { ids: { ...sequences, mayBeEmpty: true } },
} satisfies Record<string, Record<string, ListRule>>;

const textOrNull = orNull(['a string', isString]);
const limitOrNull = orNull(limitFrom(0));
// Which widths there are depends on the model, which says so.
const widthOrNull = orNull(['a number', isNumber]);
const aSide = oneOf(['left', 'right']);

const requestRules = {
  ...callRules,
  model: orNull(["a model's name", isText]),
  client: ['a string', isString],
} as const;
const embedRules = {
  ...requestRules,
  promptName: textOrNull,
  prompt: textOrNull,
  truncate: aBoolean,
  truncateSide: aSide,
  maxTokens: limitOrNull,
  addSpecialTokens: aBoolean,
  maxTotalTokens: limitOrNull,
} as const;

/** What the members of each call's request must be where they are given; the model decides on some of them. */
const members = {
  embed: {
    ...embedRules,
    dimensions: widthOrNull,
    normalize: orNull(aBoolean),
    lateChunking: aBoolean,
  } satisfies Rules<keyof EmbedRequest>,
  embedTokens: embedRules,
  rerank: {
    ...requestRules,
    scoreActivation: oneOf(['sigmoid', 'none']),
    maxTokensPerDocument: limitOrNull,
    truncate: aBoolean,
    maxTokens: limitOrNull,
  } satisfies Rules<keyof RerankRequest>,
  classify: {
    ...requestRules,
    activation: oneOf(['probability', 'none']),
    truncate: aBoolean,
    truncateSide: aSide,
    maxTokens: limitOrNull,
  } satisfies Rules<keyof ClassifyRequest>,
  tokenize: { ...requestRules, addSpecialTokens: aBoolean, promptName: textOrNull } satisfies Rules<
    keyof TokenizeRequest
  >,
  decode: { ...requestRules, skipSpecialTokens: aBoolean } satisfies Rules<keyof DecodeRequest>,
};

/** The calls of an engine that take a request. */
export type RequestKind = keyof typeof lists;

/** Throws `invalid_request` that names the field, what came and what is allowed. */
export function checkRequest(kind: RequestKind, request: unknown): void {
  checkObject(request, 'request');
  checkPart(members[kind], request, { required: ['model'] });
  // Fields of a JavaScript object may be anything, or missing.
  const given = request as Record<string, unknown>;
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

/** Which ids there are depends on the model, which says so. */
function isIdOrText(value: unknown): boolean {
  return isString(value) || isNumber(value);
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}
