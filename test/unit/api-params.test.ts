/** What the engine refuses is named as the caller named it, whatever the dialect. */
import { describe, expect, it } from 'vitest';
import { nameAsAsked } from '../../src/api/params.js';
import { VecinityError } from '../../src/errors.js';

const refuse = (message: string, param: string | null) =>
  new VecinityError('invalid_request', message, { param, retryAfterMs: 5 });

describe('a refusal of the engine', () => {
  it.each([
    ['input holds the token id 9', 'input', { ids: [9] }, 'ids', '`ids` holds the token id 9'],
    ['input 3 is too large', 'input', { inputs: ['a'] }, 'inputs', '`inputs[3]` is too large'],
    ['input 0 is too large', 'input', { content: 'a' }, 'content', '`content` is too large'],
    ['document 1 is too large', 'documents', { texts: ['a'] }, 'texts', '`texts[1]` is too large'],
    ['dimensions is 9', 'dimensions', { output_dimension: 9 }, 'output_dimension', '`output_dimension` is 9'],
    [
      '`dimensions` must be 8',
      'dimensions',
      { output_dimension: 9 },
      'output_dimension',
      '`output_dimension` must be 8',
    ],
    ['max_tokens is 1', 'max_tokens', { options: { num_ctx: 1 } }, 'options.num_ctx', '`options.num_ctx` is 1'],
    ['The query has 9 tokens', 'query', { text_1: 'a' }, 'text_1', 'The query has 9 tokens'],
  ])('%s about %s of %j is about %s', (message, param, body, named, renamed) => {
    expect(nameAsAsked(refuse(message, param), body)).toMatchObject({
      ...{ code: 'invalid_request', message: renamed, param: named, retryAfterMs: 5 },
    });
  });

  it.each([
    ['the field that it names', 'input', { input: 'a', prompt: 'b' }],
    ['no field', null, { inputs: 'a' }],
    ['a field that has one name', 'model', { inputs: 'a' }],
    ['a field that the body has under no name', 'input', { text: 'a' }],
  ])('is left as it is when it is about %s', (_, param, body) => {
    const error = refuse('input is wrong', param);
    expect(nameAsAsked(error, body)).toBe(error);
  });
});
