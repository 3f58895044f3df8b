/** Reads fields of parsed JSON files, where anything may be missing or of another type. Null means "not there". */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';

/** The file as an object. Throws `model_file_invalid` for anything else. */
export function asObject(value: unknown, path: string): JsonObject {
  if (isObject(value)) return value;
  throw new VecinityError('model_file_invalid', `The file ${path} must hold a JSON object.`);
}

/** A positive integer. Zero, text and fractions count as missing. */
export function countField(object: JsonObject | null, name: string): number | null {
  const value = object?.[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;
}

export function stringField(object: JsonObject | null, name: string): string | null {
  const value = object?.[name];
  return typeof value === 'string' ? value : null;
}

export function booleanField(object: JsonObject | null, name: string): boolean | null {
  const value = object?.[name];
  return typeof value === 'boolean' ? value : null;
}

export function objectField(object: JsonObject | null, name: string): JsonObject | null {
  const value = object?.[name];
  return isObject(value) ? value : null;
}
