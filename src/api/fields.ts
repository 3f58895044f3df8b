/** Validators of the fields that several dialects share, each with the words for what it allows. */
import * as z from 'zod/mini';
import { maxInputs } from '../config.js';
import type { EngineInput } from '../core/engine.js';
import { textInObject, textObjects } from './parts.js';
import { type BodySchema, count, type FieldPath, invalidField } from './validate.js';

const tokenId = 'a token id, an integer of at least 0';
const idSchema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const idOrText = `${tokenId}, or a string among such ids`;
const oneInput = 'a string or an array of at least one token id';
const allowedInputs =
  `a string, an array of token ids, or an array of 1 to ${count(maxInputs)} ` +
  'inputs, each a string or an array of token ids';

/** A string. */
export const text = () => z.string('a string');

/** True or false. */
export const flag = () => z.boolean('true or false');

/** An integer of at least this. One that no number holds exactly is told how large it may be. */
export function integerFrom(least: number) {
  const allowed = `an integer of at least ${least}`;
  const tooLarge = `${allowed} and at most ${Number.MAX_SAFE_INTEGER}`;
  const error = ({ code }: { code: string }) => (code === 'too_big' ? tooLarge : allowed);
  return z.int({ error }).check(z.minimum(least, allowed));
}

/** An integer ≥ 1. */
export const positiveInteger = () => integerFrom(1);

/** The same body, of whose fields one of these sets must be there: its schema says so, and its route sees to it. */
export function needsOneOf<Body extends BodySchema>(sets: readonly (readonly string[])[], body: Body): Body {
  z.globalRegistry.add(body, { anyOf: sets.map((required) => ({ required: [...required] })) });
  return body;
}

/** One of a few words. */
export function choice<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`);
}

/** An array of 1 to `most` items: what is not bounded here is read however long it is. */
export function listOf<Item extends BodySchema>(item: Item, most: number, allowed: string) {
  return z.array(item, allowed).check(z.minLength(1, allowed), z.maxLength(most, allowed));
}

/** One of a few words or an array of them; comes out as an array. */
export function oneOrMore<const Values extends readonly string[]>(values: Values) {
  const most = values.length;
  const many = listOf(choice(values), most, `one of ${values.join(', ')}, or an array of 1 to ${most} of these`);
  const toArray = z.transform((value: unknown) => (typeof value === 'string' ? [value] : value));
  const one = { enum: [...values], type: 'string' };
  const forms = [one, { type: 'array', items: one, minItems: 1, maxItems: most }];
  return z.pipe(z.unknown(), z.pipe(toArray, many)).register(z.globalRegistry, { anyOf: forms });
}

/** A text, bare or as `{ "text": … }`; comes out as the string. */
export function textOrObject(allowed: string, minLength = 0) {
  const string = z.string(allowed).check(z.minLength(minLength, allowed));
  const bare = (value: unknown) => (isTextObject(value) ? value.text : value);
  const one = { type: 'string', ...(minLength > 0 ? { minLength } : {}) };
  const forms = [one, { type: 'object', properties: { text: one }, required: ['text'] }];
  return z.pipe(z.unknown(), z.pipe(z.transform(bare), string)).register(z.globalRegistry, { anyOf: forms });
}

/** A text or an array of texts, each bare or in an object; comes out as an array of strings. */
export function textsOrObjects(name: string) {
  const one = { anyOf: [{ type: 'string' }, ...textObjects] };
  const many = { type: 'array', items: one, minItems: 1, maxItems: maxInputs };
  const allowed = `a string, an object with a text, or an array of 1 to ${count(maxInputs)} of these`;
  const parse = z.transform((value: unknown): string[] => {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0 || list.length > maxInputs) throw invalidField([name], allowed, value);
    return list.map((item, index) => {
      const path = Array.isArray(value) ? [name, index] : [name];
      const found = typeof item === 'string' ? item : textInObject(item, path);
      if (found === undefined) throw invalidField(path, 'a string or an object with a text', item);
      return found;
    });
  });
  return z.pipe(z.unknown(), parse).register(z.globalRegistry, { anyOf: [...one.anyOf, many] });
}

/** A text or an array of texts; comes out as an array. */
export function texts(name: string) {
  const allowed = `a string or an array of 1 to ${count(maxInputs)} strings`;
  const many = { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: maxInputs };
  const parse = z.transform((value: unknown): string[] => {
    const list: unknown[] = typeof value === 'string' ? [value] : Array.isArray(value) ? value : [];
    if (list.length === 0 || list.length > maxInputs) throw invalidField(name.split('.'), allowed, value);
    return list.map((item, index) => {
      if (typeof item === 'string') return item;
      throw invalidField([...name.split('.'), index], 'a string', item);
    });
  });
  return z.pipe(z.unknown(), parse).register(z.globalRegistry, { anyOf: [{ type: 'string' }, many] });
}

/** One sequence of token ids or an array of them; comes out as an array. */
export function tokenSequences(name: string) {
  const ids = { type: 'array', items: idSchema };
  const allowed = `an array of token ids, or an array of 1 to ${count(maxInputs)} such arrays`;
  const parse = z.transform((value: unknown): number[][] => {
    if (!Array.isArray(value) || value.length === 0) throw invalidField([name], allowed, value);
    if (!Array.isArray(value[0])) return [parseTokenIds(value, [name])];
    if (value.length > maxInputs) throw invalidField([name], allowed, value);
    return value.map((item: unknown, index) => {
      if (!Array.isArray(item)) throw invalidField([name, index], 'an array of token ids', item);
      return parseTokenIds(item, [name, index]);
    });
  });
  return z.pipe(z.unknown(), parse).register(z.globalRegistry, { anyOf: [ids, { type: 'array', items: ids }] });
}

/**
 * Texts or token ids in every form of the OpenAI API: string, string[], int[] (one sequence), int[][], or mixed arrays;
 * texts in objects as well.
 * As in llama.cpp, a number among strings makes the whole array one sequence, whose strings stand for their tokens.
 */
export function inputs(name: string) {
  const id = { anyOf: [idSchema, { type: 'string' }] };
  const ids = { type: 'array', items: id, contains: { type: 'integer' }, minItems: 1 };
  const one = [{ type: 'string' }, ids, ...textObjects];
  const many = { type: 'array', items: { anyOf: one }, minItems: 1, maxItems: maxInputs };
  const parse = z.transform((value: unknown) => parseInputs(value, name));
  return z.pipe(z.unknown(), parse).register(z.globalRegistry, { anyOf: [...one, many] });
}

// Written by hand: a union's own messages say nothing useful, and 2,048 long id arrays would be walked several times.
function parseInputs(value: unknown, name: string): EngineInput[] {
  if (typeof value === 'string') return [value];
  const own = textInObject(value, [name]);
  if (own !== undefined) return [own];
  if (!Array.isArray(value) || value.length === 0) throw invalidField([name], allowedInputs, value);
  if (value.some(isNumber)) return [parseSequence(value, [name])];
  if (value.length > maxInputs) throw invalidField([name], allowedInputs, value);
  return value.map((item, index) => parseInput(item, [name, index]));
}

function parseInput(value: unknown, path: FieldPath): EngineInput {
  if (typeof value === 'string') return value;
  const own = textInObject(value, path);
  if (own !== undefined) return own;
  if (!Array.isArray(value) || value.length === 0) throw invalidField(path, oneInput, value);
  return parseSequence(value, path);
}

function parseSequence(values: unknown[], path: FieldPath): (number | string)[] {
  if (!values.some((value) => typeof value === 'string')) return parseTokenIds(values, path);
  if (!values.some(isNumber)) throw invalidField(path, oneInput, values);
  return values.map((value, index) => {
    if (typeof value === 'string' || isTokenId(value)) return value;
    throw invalidField([...path, index], idOrText, value);
  });
}

function parseTokenIds(values: unknown[], path: FieldPath): number[] {
  return values.map((value, index) => {
    if (isTokenId(value)) return value;
    throw invalidField([...path, index], tokenId, value);
  });
}

const isNumber = (value: unknown) => typeof value === 'number';

/** Which ids there are the model says. */
function isTokenId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isTextObject(value: unknown): value is { text: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'text');
}
