/**
 * From an unknown JSON body to a typed one, or to one clear sentence. A field's validator carries as its message the
 * words for what is allowed ("an integer of at least 1"); this file adds the field's name and what came instead.
 */
import * as z from 'zod/mini';
import { VecinityError } from '../errors.js';

// Zod's compiled validators need `new Function`; trying it is reported as a violation on pages with a strict CSP.
z.config({ jitless: true });

/** Any validator of a request body. */
export type BodySchema = z.ZodMiniType;
export type FieldPath = readonly PropertyKey[];

/** Only the first issue is told, and an array with millions of wrong items would leave millions of them in memory. */
const firstIssue: z.core.ParseContextInternal<z.core.$ZodIssue> = { abortEarly: true };

/** Validates a request body. Throws `invalid_request` that names the first wrong field, what came and what is allowed. */
export function parseBody<Schema extends BodySchema>(schema: Schema, body: unknown): z.output<Schema> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new VecinityError('invalid_request', `The request body must be a JSON object; got ${describe(body)}.`);
  }
  const parsed = schema.safeParse(body, firstIssue);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  throw invalidField(path, issue?.message ?? 'valid', valueAt(body, path));
}

/** The error of one field; `allowed` completes the sentence "`field` must be …". */
export function invalidField(path: FieldPath, allowed: string, value: unknown): VecinityError {
  const param = formatPath(path);
  const message =
    value === undefined
      ? `\`${param}\` is required: ${allowed}.`
      : `\`${param}\` must be ${allowed}; got ${describe(value)}.`;
  return new VecinityError('invalid_request', message, { param });
}

/** `['input', 3, 'text']` as `input[3].text`. */
function formatPath(path: FieldPath): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at ? '.' : ''}${String(key)}`)).join('');
}

function valueAt(body: object, path: FieldPath): unknown {
  let value: unknown = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** A short description of a JSON value; never prints the inside of an array or object. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${count(value.length)} items`;
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return `${typeof value} ${String(value)}`;
  if (value === '') return 'an empty string';
  return value.length > 60 ? `a string of ${count(value.length)} characters` : `string ${JSON.stringify(value)}`;
}

/** `2049` as `2,049`. Not by `toLocaleString`, whose first call takes a starting worker 12 ms. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
