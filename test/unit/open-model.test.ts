import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { openModel } from '../../src/core/open-model.js';
import { htmlPage, memoryServer } from './memory-server.js';

const base = 'https://app.example/models/all-MiniLM-L6-v2/';
const sources = { hubUrl: 'https://hub.example', hubToken: null, modelsUrl: 'https://app.example/models/' };
const options = { revision: undefined, signal: new AbortController().signal, onProgress: () => {} };
const small = [
  'config.json',
  'modules.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
  'tokenizer_config.json',
  '1_Pooling/config.json',
  'tokenizer.json',
];

function serve(changes: Parameters<typeof memoryServer>[0] = {}) {
  const folder = new URL('../../public/models/all-MiniLM-L6-v2/', import.meta.url);
  const files = Object.fromEntries(small.map((path) => [base + path, readFileSync(new URL(path, folder), 'utf8')]));
  const server = memoryServer({ ...files, ...changes });
  vi.stubGlobal('fetch', server.fetch);
  return server;
}

afterEach(() => vi.unstubAllGlobals());

it('reads every small file of a model and the list of what they are once, the vocabulary last', async () => {
  const server = serve();
  const { tokenizer } = await openModel('all-MiniLM-L6-v2', sources, options);
  await tokenizer;
  const asked = server.requests.map(({ url }) => url.slice(base.length));
  expect([...asked].sort()).toEqual([...small, 'vecinity.json'].sort());
  expect(asked[0]).toBe('config.json');
  expect(asked.at(-1)).toBe('tokenizer.json');
});

it('takes a page of HTML in the place of tokenizer_config.json for its absence', async () => {
  serve({ [`${base}tokenizer_config.json`]: htmlPage });
  const { spec, tokenizer } = await openModel('all-MiniLM-L6-v2', sources, options);
  expect(spec.maxTokens).toBe(256);
  expect((await tokenizer).countTokens('hello')).toBe(3);
});

it('opens a model whose vocabulary is missing, and says so to whoever needs it', async () => {
  serve({ [`${base}tokenizer.json`]: undefined });
  const { tokenizer } = await openModel('all-MiniLM-L6-v2', sources, options);
  await expect(tokenizer).rejects.toMatchObject({ code: 'model_file_missing' });
});

it('tells where a model is before it reads more than its config.json', async () => {
  const server = serve();
  const found: unknown[] = [];
  const onFound = ({ location }: { location: unknown }) => void found.push(location, server.requests.length);
  await openModel('all-MiniLM-L6-v2', { ...sources, onFound }, options);
  expect(found).toMatchObject([{ base }, 1]);
});
