/**
 * What options and arguments must be, in words, and the refusal of what they are not: for callers whom no compiler holds.
 * Which option has which rule is said where the options are; bodies of HTTP requests are checked in `src/api`.
 */
import { VecinityError } from './errors.js';

export type Check = (value: unknown) => boolean;
/** What a value must be, in words that complete the sentence "`name` must be …", and whether a value is that. */
export type Rule = readonly [allowed: string, check: Check];
/** The rules of an object's members, by their names; a member that is `undefined` counts as not given. */
export type Rules<Name extends string = string> = Readonly<Partial<Record<Name, Rule>>>;

const shownLength = 100;
const anObject = 'an object';

export const isString = (value: unknown): value is string => typeof value === 'string';
export const isText: Check = (value) => isString(value) && value !== '';
export const isBoolean: Check = (value) => typeof value === 'boolean';
export const isFunction: Check = (value) => typeof value === 'function';

/** True for signals of other frames and of other implementations, too. */
export function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = Object(value);
  return isBoolean(aborted) && isFunction(addEventListener);
}

export const aBoolean: Rule = ['true or false', isBoolean];

/** The same, or null. */
export function orNull([allowed, check]: Rule): Rule {
  return [`${allowed} or null`, (value) => value === null || check(value)];
}

/** What every call takes beside its own options. Null is what `fetch` takes for "no signal", too. */
export const callRules: Rules<'signal' | 'onProgress'> = {
  signal: orNull(['an AbortSignal', isSignal]),
  onProgress: orNull(['a function', isFunction]),
};

/** Throws `invalid_request` for the first member that breaks its rule. */
export function checkRules(rules: Rules, given: object): void {
  for (const [name, rule] of Object.entries(rules)) {
    const value: unknown = Reflect.get(given, name);
    if (rule && value !== undefined && !rule[1](value)) throw wrongOption(name, rule[0], value);
  }
}

interface Part {
  /** What the object is a part of: its members are told as `upstream.models`. */
  place?: string;
  /** Members that have to be given. */
  required?: readonly string[];
}

/** The same for an object that cannot do without some of its members. Apart, because a page has none such and counts bytes. */
export function checkPart(rules: Rules, given: object, { place, required = [] }: Part): void {
  for (const [name, rule] of Object.entries(rules)) {
    const value: unknown = Reflect.get(given, name);
    const isAllowed = !rule || (value === undefined ? !required.includes(name) : rule[1](value));
    if (!isAllowed) throw wrongOption(place === undefined ? name : `${place}.${name}`, rule[0], value);
  }
}

/** Throws `invalid_request` for what is no object with named members. */
export function checkObject(value: unknown, name = 'options'): asserts value is object {
  if (describe(value) !== anObject) throw wrongOption(name, anObject, value);
}

/** The error of an option or an argument; `allowed` completes the sentence "`name` must be …". */
export function wrongOption(name: string, allowed: string, value: unknown): VecinityError {
  return new VecinityError('invalid_request', `\`${name}\` must be ${allowed}; got ${describe(value)}.`, {
    param: name,
  });
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return anObject;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'string') return String(value);
  return value.length > shownLength ? 'a longer string' : JSON.stringify(value);
}

/** One of a few words. */
export function oneOf(words: readonly string[]): Rule {
  return [`one of ${words.join(', ')}`, (value) => typeof value === 'string' && words.includes(value)];
}

/** An integer of a range. */
export function integerFrom(least: number, most = Number.MAX_SAFE_INTEGER): Rule {
  const words = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return [
    `an integer ${words}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
  ];
}

/** What may be used at most: an integer, or Infinity for all that is there. */
export function limitFrom(least: number): Rule {
  const [allowed, check] = integerFrom(least);
  return [`${allowed}, or Infinity`, (value) => value === Number.POSITIVE_INFINITY || check(value)];
}

/** A number that is no NaN. */
export function numberFrom(least: number): Rule {
  return [`a number of at least ${least}`, (value) => typeof value === 'number' && value >= least];
}
