/** The end of work that blocks its thread: on Node, and for the tokenizer whose patterns come from a model's file. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeadlineError, setDeadline } from '../../src/core/deadline.js';
import { HubTokenizer } from '../../src/core/hub-tokenizer.js';
import { withDeadline } from '../../src/edge/deadline.js';
import { nextTask } from '../../src/pause.js';
import { fixtureFolder } from './model-folder.js';

const plenty = 60_000;
/** Twice the time for each letter more. */
const endless = () => /^(a+)+$/.test(`${'a'.repeat(60)}b`);

describe('work with a deadline', () => {
  it('gives what it gives, throws what it throws, and may hold work with a deadline of its own', () => {
    const value = { a: 1 };
    expect(withDeadline(() => value, plenty)).toBe(value);
    expect(withDeadline(() => undefined, plenty)).toBeUndefined();
    const error = new TypeError('its own');
    const fail = () => {
      throw error;
    };
    expect(() => withDeadline(fail, plenty)).toThrow(error);
    expect(withDeadline(() => [withDeadline(() => 1, plenty), withDeadline(() => 2, plenty)], plenty)).toEqual([1, 2]);
  });

  it('ends in the middle of a pattern and of a loop, and the next work runs', () => {
    expect(() => withDeadline(endless, 50)).toThrow(DeadlineError);
    const loop = () => {
      for (;;);
    };
    expect(() => withDeadline(loop, 50)).toThrow('it had not ended after 50 ms');
    expect(withDeadline(() => 'next', plenty)).toBe('next');
  });
});

it('what has ended under a deadline is not kept in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const run = (): WeakRef<object> => {
    const tokenizer = { name: 'unloaded' };
    withDeadline(() => tokenizer.name, plenty);
    return new WeakRef(tokenizer);
  };
  const left = run();
  await nextTask();
  collect();
  expect(left.deref()).toBeUndefined();
});

describe('a tokenizer whose pattern has no end for some texts', () => {
  const read = (path: string) => JSON.parse(readFileSync(`${fixtureFolder('bert-cls')}${path}`, 'utf8'));
  const evil = { Regex: '^(a+)+$' };
  const open = (members: object) =>
    new HubTokenizer({ ...read('tokenizer.json'), ...members }, read('tokenizer_config.json'), 'owner/model');
  const evilText = `${'a'.repeat(60)}b`;

  beforeEach(() => setDeadline((work, limitMs) => withDeadline(work, Math.min(limitMs, 500))));
  afterEach(() => setDeadline((work) => work()));

  it.each<[string, object]>([
    ['pre_tokenizer', { pre_tokenizer: { type: 'Split', pattern: evil, behavior: 'Isolated', invert: false } }],
    ['normalizer', { normalizer: { type: 'Replace', pattern: evil, content: '' } }],
  ])('is told to be no good when its %s meets one, and goes on with the next text', (_, members) => {
    const tokenizer = open(members);
    const usual = tokenizer.encode('hello world');
    expect(() => tokenizer.encode(evilText)).toThrow(
      expect.objectContaining({
        code: 'model_file_invalid',
        message:
          'The tokenizer.json of owner/model cannot tokenize a text of 61 characters: it had not ended after 500 ms.',
      }),
    );
    expect(tokenizer.encode('hello world')).toEqual(usual);
  });

  it('is told so when it is opened and when it decodes', () => {
    const added = read('tokenizer.json').added_tokens;
    const normalizer = { type: 'Replace', pattern: evil, content: '' };
    const token = { ...added[0], id: 1_799, content: evilText, normalized: true };
    expect(() => open({ normalizer, added_tokens: [...added, token] })).toThrow(/cannot be used: it had not ended/);
    const decoder = { type: 'Sequence', decoders: [{ type: 'Fuse' }, { type: 'Replace', pattern: evil, content: '' }] };
    const tokenizer = open({ decoder, added_tokens: [...added, { ...token, normalized: false }] });
    expect(() => tokenizer.decode([1_799], false)).toThrow(/cannot decode 1 tokens: it had not ended/);
  });
});
