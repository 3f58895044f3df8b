/** The validators describe themselves: what the OpenAPI document is made from. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { dialects } from '../../src/api/dialects/all.js';
import { inputs, textOrObject } from '../../src/api/fields.js';

const schemaOf = (schema: z.ZodMiniType) =>
  z.toJSONSchema(z.object({ field: schema }), { io: 'input' }).properties?.field;

describe('validators as JSON Schema', () => {
  it('every body of every route can be described', () => {
    const bodies = dialects
      .flat()
      .flatMap(({ body }) => (body === null ? [] : [z.toJSONSchema(body, { io: 'input' })]));
    expect(bodies.length).toBeGreaterThan(3);
    expect(bodies.slice(0, 2).map(({ required }) => required)).toEqual([['input'], ['query', 'documents']]);
  });

  it('an input is a string, token ids, or an array of both', () => {
    const id = { anyOf: [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, { type: 'string' }] };
    const ids = { type: 'array', items: id, contains: { type: 'integer' }, minItems: 1 };
    const part = { type: 'object', properties: { type: { const: 'text' }, text: { type: 'string' } } };
    const parts = { type: 'array', items: { ...part, required: ['type', 'text'] }, minItems: 1 };
    const objects = Object.entries({ text: { type: 'string' }, prompt_string: { type: 'string' }, content: parts }).map(
      ([name, schema]) => ({ type: 'object', properties: { [name]: schema }, required: [name] }),
    );
    const forms = [{ type: 'string' }, ids, ...objects];
    const many = { type: 'array', items: { anyOf: forms }, minItems: 1, maxItems: 2048 };
    expect(schemaOf(inputs('input'))).toEqual({ anyOf: [...forms, many] });
  });

  it('a document is a string or an object with a text', () => {
    const object = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };
    expect(schemaOf(textOrObject('x'))).toEqual({ anyOf: [{ type: 'string' }, object] });
  });

  it('a text that must not be empty says so', () => {
    const text = { type: 'string', minLength: 1 };
    const object = { type: 'object', properties: { text }, required: ['text'] };
    expect(schemaOf(textOrObject('x', 1))).toEqual({ anyOf: [text, object] });
  });
});
