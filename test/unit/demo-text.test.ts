import type { ModelStatus } from 'vecinity';
import { describe, expect, test } from 'vitest';
import { filesSource } from '../../demo/engine.js';
import { exampleOf, examples, firstExample } from '../../demo/examples.js';
import type { Exchange } from '../../demo/exchange.js';
import { maxSentences, readSentences } from '../../demo/lines.js';
import { catalogue as offered, readListing } from '../../demo/models.js';
import { foreignOrigins } from '../../demo/network.js';
import { describeProgress } from '../../demo/progress.js';
import { defaultChoice, readLink, toLink } from '../../demo/share.js';
import { shortAnswer, snippet, snippetNames } from '../../demo/snippets.js';
import { toCsv, toJson } from '../../demo/table.js';
import { catalogue } from '../../src/models/catalogue.js';

describe('a map as text', () => {
  const table = {
    model: 'm',
    texts: ['He said "no", twice', 'plain'],
    values: Float64Array.from([1, 1 / 3, 1 / 3, 1]),
  };

  test('is CSV with quoted fields and a row for each sentence', () => {
    expect(toCsv(table)).toBe(
      ',"He said ""no"", twice",plain\r\n"He said ""no"", twice",1,0.333333\r\nplain,0.333333,1\r\n',
    );
  });

  test('is JSON with the sentences beside the numbers', () => {
    expect(JSON.parse(toJson(table))).toEqual({
      model: 'm',
      measure: 'cosine',
      sentences: table.texts,
      similarity: [
        [1, 0.333333],
        [0.333333, 1],
      ],
    });
  });
});

describe('a link', () => {
  const text = 'Ist 5 > 4 & 3?\nüber #eins\n数';
  const choice = { model: 'owner/name', device: 'wasm', dtype: 'q8' } as const;

  test('opens with the same sentences, model and device', () => {
    expect(readLink(toLink('http://localhost/demo/?model=other', text, choice))).toEqual({ text, choice });
  });

  test('keeps everything behind the #, which browsers do not send', () => {
    const url = new URL(toLink('http://localhost/demo/?model=other&device=wasm', text, choice));
    expect(url.href.slice(0, url.href.indexOf('#'))).toBe('http://localhost/demo/');
  });

  test('may name the model in its query, and ignores what it does not know', () => {
    expect(readLink('http://localhost/?model=bert-cls&device=gpu&dtype=f32')).toEqual({
      text: null,
      choice: { model: 'bert-cls', device: 'auto', dtype: 'f32' },
    });
    expect(readLink('http://localhost/?model=%20').choice).toEqual(defaultChoice);
  });
});

describe('the examples', () => {
  test('fit the map and have names of their own', () => {
    for (const { sentences } of examples) {
      expect(readSentences(sentences.join('\n')).texts).toEqual(sentences);
      expect(sentences.length).toBeLessThanOrEqual(maxSentences);
    }
    expect(new Set(examples.map(({ name }) => name)).size).toBe(examples.length);
  });

  test('are recognised until they are changed', () => {
    expect(exampleOf(firstExample)).toBe(examples[0]);
    expect(exampleOf(`${firstExample}!`)).toBeNull();
  });
});

describe('the request behind the map', () => {
  const exchange: Exchange = {
    body: { model: 'm', input: ['It\'s\n`quoted` \\ "twice"', 'b'], encoding_format: 'float' },
    status: 200,
    elapsedMs: 1,
    answer: {
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [0.12345, -1, 0, 0.5, 9] },
        { object: 'embedding', index: 1, embedding: [1, 2] },
      ],
      model: 'm',
      usage: { prompt_tokens: 5, total_tokens: 5 },
    },
  };

  test.each(snippetNames)('holds every sentence as a string literal in the form %s', (name) => {
    const code = snippet(name, exchange.body, 'http://localhost:5173');
    for (const text of exchange.body.input) expect(code).toContain(JSON.stringify(text));
  });

  test('as fetch sends what the page sent', async () => {
    const code = snippet('fetch', exchange.body, 'http://localhost');
    const sent: unknown[] = [];
    const fetchIt = (_: string, init: { body: string }) => {
      sent.push(JSON.parse(init.body));
      return { json: () => ({ data: [], usage: {} }) };
    };
    await new Function('fetch', `return (async () => { ${code} })()`)(fetchIt);
    expect(sent).toEqual([exchange.body]);
  });

  test('has an answer with the first numbers of each vector and the count of the rest', () => {
    const short = shortAnswer(exchange);
    expect(short).toContain('"embedding": [0.1235, -1.0000, 0.0000, 0.5000, … 1 more]');
    expect(short).toContain('"embedding": [1.0000, 2.0000]');
    expect(short).toContain('"total_tokens": 5');
  });
});

describe('what the page says', () => {
  test('of a download: files, megabytes and per cent', () => {
    const progress = {
      type: 'load',
      model: 'm',
      phase: 'download',
      loadedBytes: 5_750_000,
      totalBytes: 23_000_000,
      resumedBytes: 1_200_000,
      bytesPerSecond: 250_000,
      remainingMs: 69_000,
      files: {
        'a.json': { loadedBytes: 1, totalBytes: 1, resumedBytes: 0 },
        'b.onnx': { loadedBytes: 1, totalBytes: null, resumedBytes: 0 },
      },
    } as const;
    expect(describeProgress('m', progress)).toEqual({
      label: 'Loading m: 2 files, 5.8 of 23.0 MB, 25 %',
      detail: '0.3 MB/s · 1 min 9 s left · 1.2 MB were here already',
      share: 0.25,
    });
    const unknown = { totalBytes: null, resumedBytes: 0, bytesPerSecond: null, remainingMs: null };
    expect(describeProgress('m', { ...progress, ...unknown })).toEqual({
      label: 'Loading m: 2 files, 5.8 MB',
      detail: null,
      share: null,
    });
    expect(describeProgress('m', null).share).toBeNull();
  });

  test('of requests to other origins: only those that leave the page count', () => {
    const own = 'http://localhost:5173';
    const addresses = [`${own}/a.js`, '/b.css', 'data:text/plain,x', `blob:${own}/1`, 'https://example.com/pixel'];
    expect(foreignOrigins(addresses, own)).toEqual(['https://example.com']);
  });

  test('of a model: whether its files came from this server, another address, or the hub', () => {
    const source = (id: string, revision: string) =>
      // Only the fields that are read.
      filesSource({ id, spec: { revision, repository: 'owner/name' } } as ModelStatus);
    expect(source('bert-cls', 'local')).toBe('this server');
    expect(source('https://example.com/models/x', 'local')).toBe('https://example.com');
    expect(source('name', 'main')).toBe('the model hub (owner/name)');
  });

  test('of the models that a server lists: names only, whatever else comes', () => {
    expect(readListing({ models: ['a', 3, 'b'] })).toEqual(['a', 'b']);
    for (const other of [null, 'x', {}, { models: 'a' }]) expect(readListing(other)).toEqual([]);
  });

  test('of other models: embedding models of the catalogue, each by its own name', () => {
    const known = catalogue.filter(({ task }) => task === 'embedding').map(({ id }) => id);
    for (const name of offered) expect(known).toContain(name);
  });
});
