/** Files of two models in one folder: a tokenizer that knows more tokens than the weights. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../src/core/load-tokenizer.js';
import { parseTokenizerJson } from '../../src/models/tokenizer-json.js';

const folder = new URL('../fixtures/models/', import.meta.url);
const read = (path: string) => JSON.parse(readFileSync(new URL(path, folder), 'utf8'));

interface TokenizerJson {
  model: { vocab: Record<string, number> | [string, number][] };
  added_tokens: { id: number; content: string; special: boolean }[];
}

/** The tokenizer of a fixture beside a table of so many rows. */
function create(model: string, vocabSize: number, change: (json: TokenizerJson) => void = () => {}) {
  const json: TokenizerJson = read(`${model}/tokenizer.json`);
  change(json);
  const spec = { id: model, maxTokens: 64, vocabSize, includePrompt: true, config: {} };
  // As a file is read, with its vocabulary in a table where it is an object.
  const parsed = parseTokenizerJson(new TextEncoder().encode(JSON.stringify(json)));
  return createTokenizer(parsed, read(`${model}/tokenizer_config.json`), spec);
}

function idsOf(model: string): number {
  const { vocab } = (read(`${model}/tokenizer.json`) as TokenizerJson).model;
  return Array.isArray(vocab) ? vocab.length : Math.max(...Object.values(vocab)) + 1;
}

describe.each(['bert-cls', 'xlmr-cls', 'roberta-mean'])('a tokenizer (%s)', (model) => {
  const count = idsOf(model);

  it('is taken beside weights with a row for every token', () => {
    expect(create(model, count).countTokens('hello')).toBeGreaterThan(2);
  });

  it('is refused at the load beside weights with a row less, by the files and what to do', () => {
    expect(() => create(model, count - 1)).toThrow(
      expect.objectContaining({
        code: 'model_file_invalid',
        message:
          `The tokenizer.json of ${model} has token ids up to ${count - 1}, and by config.json (vocab_size) its weights ` +
          `end at ${count - 2}: the files are not of one model. Take tokenizer.json, config.json and the weights from ` +
          'the same revision of one repository.',
      }),
    );
  });
});

describe('a token that was added behind the vocabulary', () => {
  const count = idsOf('bert-cls');
  const add = (json: TokenizerJson) =>
    void json.added_tokens.push({ ...json.added_tokens[0], id: count, content: '[EXTRA]', special: true });

  it('is no reason to refuse the tokenizer, nor texts without it', () => {
    expect(create('bert-cls', count, add).encode('hello').inputIds.length).toBeGreaterThan(2);
  });

  it('is refused where a text holds it, by its name', () => {
    const tokenizer = create('bert-cls', count, add);
    for (const use of [() => tokenizer.encode('[EXTRA]'), () => tokenizer.encodePair('a', '[EXTRA]')]) {
      expect(use).toThrow(
        expect.objectContaining({
          code: 'model_file_invalid',
          message: expect.stringContaining(`makes the token ${count} of "[EXTRA]", and by config.json (vocab_size)`),
        }),
      );
    }
  });

  it('is refused at the load where it frames every text', () => {
    const frame = (json: TokenizerJson) => {
      const sep = json.added_tokens.find(({ content }) => content === '[SEP]');
      if (sep) sep.id = count;
      Object.assign(json.model.vocab, { '[SEP]': 0 });
    };
    expect(() => create('bert-cls', count, frame)).toThrow(/puts the token \d+ around every text/);
  });
});
