/**
 * `npm run bench -- serve [corpus.json]`: texts a second of `vecinity serve` over HTTP, asked from this process with the
 * corpus that `vecinity-default` embeds in the browser, all texts in one call.
 */
import path from 'node:path';
import { repositoryRoot } from '../src/vite/bundle.js';
import { readCorpus } from './corpus.js';
import { servedModel, withServer } from './served.js';
import { median } from './statistics.js';

const warmups = 1;
const passes = 3;
const sharedCorpus = path.join(repositoryRoot, '../shared/bench/mixed.json');

/** Measures and prints; rejects when an answer is not whole. */
export async function main([file = sharedCorpus]: readonly string[]): Promise<number> {
  const { name, texts } = await readCorpus(file);
  return await withServer(async (url) => {
    for (const encoding of ['base64', 'float']) {
      const body = JSON.stringify({ model: servedModel, input: texts, truncate: true, encoding_format: encoding });
      for (let pass = 0; pass < warmups; pass++) await ask(url, body, texts.length);
      const times: number[] = [];
      for (let pass = 0; pass < passes; pass++) {
        const start = performance.now();
        await ask(url, body, texts.length);
        times.push(performance.now() - start);
      }
      const rate = (ms: number) => ((texts.length / ms) * 1000).toFixed(1);
      const [best, middle] = [rate(Math.min(...times)), rate(median(times))];
      console.log(`${name} as ${encoding}: ${texts.length} texts, best ${best} texts/s, median ${middle} texts/s`);
    }
    return 0;
  });
}

async function ask(url: string, body: string, count: number): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/embeddings`, { method: 'POST', headers, body });
  const answer: { data?: unknown[] } = await response.json();
  if (answer.data?.length !== count) throw new Error(`The server answered ${response.status}.`);
}
