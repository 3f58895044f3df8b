/** What `similarity` takes: one text or vector, or a list of them. */
import { wrongOption } from '../rules.js';

/** A text, or a vector that an earlier `embed` gave. */
export type Comparable = string | Float32Array | readonly number[];

/** Null is no value of the types, and comes from plain JavaScript all the same. */
export function isOne(value: Comparable | readonly Comparable[] | null): value is Comparable {
  return typeof value === 'string' || typeof value?.[0] === 'number';
}

/** Throws `invalid_request` for what plain JavaScript may give instead. */
export function toList(value: Comparable | readonly Comparable[], param: string): readonly Comparable[] {
  const list: unknown = isOne(value) ? [value] : value;
  if (Array.isArray(list) && list.every(isOne)) return list;
  throw wrongOption(param, 'a text, a vector, or a list of them', value);
}
