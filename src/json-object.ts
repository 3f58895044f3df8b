/** What parsed JSON and posted messages are asked first: is it an object with fields? */

export type JsonObject = Record<string, unknown>;

/** True for objects with fields; false for null and lists. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object's own field; undefined where there is none, or no object. */
export function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
