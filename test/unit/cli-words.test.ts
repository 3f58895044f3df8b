/** The command line speaks of flags where the engine speaks of options. */
import { describe, expect, it } from 'vitest';
import { completeApiConfig } from '../../src/api/options.js';
import { inWordsOfFlags } from '../../src/cli/words.js';
import { tooLong } from '../../src/core/token-refusals.js';
import { createNodeEngine } from '../../src/edge/engine.js';
import { wordsOf } from '../../src/errors.js';
import { resolveModel } from '../../src/models/resolve.js';

describe.each<[name: string, fail: () => unknown, told: RegExp]>([
  ['a model that is not on the hub', missingModel, /private or gated model needs `--hub-token`\.$/],
  ['a hub that is none', () => missingModel('http://['), /^`--hub-url` must be an address; got "http:\/\/\["\.$/],
  [
    'a prefix that is none',
    () => completeApiConfig({ routePrefix: 'ai' }),
    /^`--route-prefix` must be empty or a path/,
  ],
  ['a key that is empty', () => completeApiConfig({ apiKey: '' }), /^`--api-key` must be/],
  ['an origin that is empty', () => completeApiConfig({ corsOrigin: '' }), /^`--cors` must be/],
  [
    'a folder that is not there',
    () => createNodeEngine({ modelsDir: '/nowhere' }),
    /^`--models-dir`: the folder of models \S+ is not/,
  ],
  [
    'a text that is too long',
    () => Promise.reject(tooLong({ tokens: 9, limit: 8 }, 'input')),
    /or leave out `--no-truncate`\.$/,
  ],
])('%s', (_, fail, told) => {
  it('is told with the flag that was typed', async () => {
    const message = await Promise.resolve()
      .then(fail)
      .then(() => 'nothing', wordsOf);
    expect(inWordsOfFlags(message)).toMatch(told);
  });
});

it('other words in a message stay as they are', () => {
  const message = 'The key `constructor` of `config.json` and `input[3]` are none; see `vecinity pull`.';
  expect(inWordsOfFlags(message)).toBe(message);
});

function missingModel(hubUrl = 'https://hub.example') {
  const fetch = () => Promise.resolve(new Response('', { status: 404 }));
  return resolveModel(
    'owner/name',
    { hubUrl, hubToken: null, modelsUrl: null },
    { fetch, baseUrl: 'https://page.example/' },
  );
}
