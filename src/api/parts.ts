/** A text inside an object: Jina's `{text}`, llama.cpp's `{prompt_string}`, and parts of content as chat APIs have them. */
import { type FieldPath, invalidField } from './validate.js';

const allowedPart = 'an object {"type": "text", "text": string}; images and sound cannot be embedded here';
const allowedParts = 'an array of one or more {"type": "text", "text": string}';

const part = { type: 'object', properties: { type: { const: 'text' }, text: { type: 'string' } } };
const withText = (name: string) => ({ type: 'object', properties: { [name]: { type: 'string' } }, required: [name] });
const withContent = {
  type: 'object',
  properties: { content: { type: 'array', items: { ...part, required: ['type', 'text'] }, minItems: 1 } },
  required: ['content'],
};

/** The forms as JSON Schema. */
export const textObjects = [withText('text'), withText('prompt_string'), withContent];

/** The text of an object; parts are lines. Undefined for what has none, throws `invalid_request` for parts of other kinds. */
export function textInObject(value: unknown, path: FieldPath): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const bare = ['text', 'prompt_string'].find((name) => Object.hasOwn(fields, name));
  if (bare !== undefined) return textOf(fields[bare], [...path, bare]);
  return Object.hasOwn(fields, 'content') ? joinParts(fields.content, [...path, 'content']) : undefined;
}

function joinParts(parts: unknown, path: FieldPath): string {
  if (!Array.isArray(parts) || parts.length === 0) throw invalidField(path, allowedParts, parts);
  return parts.map((item: unknown, index) => textOfPart(item, [...path, index])).join('\n');
}

function textOfPart(item: unknown, path: FieldPath): string {
  const { type, text }: Record<string, unknown> = typeof item === 'object' && item !== null ? { ...item } : {};
  if (type !== 'text') throw invalidField(path, allowedPart, item);
  return textOf(text, [...path, 'text']);
}

function textOf(value: unknown, path: FieldPath): string {
  if (typeof value === 'string') return value;
  throw invalidField(path, 'a string', value);
}
