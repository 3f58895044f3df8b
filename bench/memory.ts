/**
 * `npm run bench -- memory [texts]`: what one page's process holds while a model loads and while many texts of mixed
 * lengths are embedded, in requests of 64, above what the empty page held. Exits with 1 when it grows.
 */
import path from 'node:path';
import { ensureChromium } from '../scripts/chromium.js';
import { repositoryRoot } from '../src/vite/bundle.js';
import { type BenchBrowser, startBrowser } from './browser.js';
import { copyPackage } from './package.js';
import { startServer } from './server.js';

const model = 'all-MiniLM-L6-v2';
const defaultTexts = 20_000;
const textsPerRequest = 64;
const samples = 20;
/** What a run may end with above its beginning: garbage that is not collected yet comes and goes by about this much. */
const allowedGrowthBytes = 4 * 2 ** 20;
const words =
  'the of a model page browser weights vector query answer city river people water light music history'.split(' ');

interface Memory {
  texts: number;
  residentBytes: number;
  peakBytes: number;
}

/** Runs it for these words of the command line; 0, or 1 when memory grew. */
export async function main([texts = String(defaultTexts)]: readonly string[]): Promise<number> {
  const built = await copyPackage();
  const mounts = [
    { prefix: '/models/', folder: path.join(repositoryRoot, 'public/models') },
    { prefix: '/vecinity/', folder: built.folder },
  ];
  const server = await startServer({ mounts, isolated: true });
  try {
    const browser = await startBrowser(ensureChromium(), server.origin);
    try {
      return report(await measure(browser, Number(texts)));
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
    await built.remove();
  }
}

async function measure(browser: BenchBrowser, texts: number): Promise<Memory[]> {
  const page = await browser.open();
  const before = await browser.rendererMemory();
  const read = async (count: number): Promise<Memory> => {
    const after = await browser.rendererMemory();
    // The page's own process is the one that worked most since then.
    const workOf = (id: number) => (after.get(id)?.cpuSeconds ?? 0) - (before.get(id)?.cpuSeconds ?? 0);
    const [id] = [...after.keys()].sort((a, b) => workOf(b) - workOf(a));
    const [start, now] = [before.get(id ?? -1), after.get(id ?? -1)];
    if (!start || !now) throw new Error('This system does not say what a process holds (/proc is missing).');
    const empty = start.residentBytes;
    return { texts: count, residentBytes: now.residentBytes - empty, peakBytes: now.peakBytes - empty };
  };
  await page.evaluate((setup) => window.bench.start(setup, 'A first short text.'), {
    driver: 'vecinity' as const,
    ...{ model, options: {} },
  });
  const seen = [await read(0)];
  for (let done = 0; done < texts; done += textsPerRequest) {
    const call = Array.from({ length: Math.min(textsPerRequest, texts - done) }, (_, index) => textOf(done + index));
    const form = { batchSize: 0, sorted: false };
    await page.evaluate(({ call, form }) => window.bench.time([call], form), { call, form });
    const next = done + call.length;
    if (next === texts || Math.floor((next / texts) * samples) > Math.floor((done / texts) * samples)) {
      seen.push(await read(next));
    }
  }
  return seen;
}

/** A text of 4 to 120 words, another one for every number. */
function textOf(number: number): string {
  const length = 4 + ((number * 7_919) % 117) * ((number * 31) % 3 === 0 ? 1 : 0.25);
  return Array.from(
    { length },
    (_, place) => words[(number * 13 + place * 7 + (place % 5) * number) % words.length],
  ).join(' ');
}

function report(seen: readonly Memory[]): number {
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  console.log('texts    resident   peak, above the empty page');
  for (const { texts, residentBytes, peakBytes } of seen) {
    console.log(`${String(texts).padEnd(9)}${megabytes(residentBytes).padEnd(11)}${megabytes(peakBytes)}`);
  }
  // The first quarter warms caches up. The least of each part is what is held when garbage was just collected.
  const least = (part: readonly Memory[]) => Math.min(...part.map(({ residentBytes }) => residentBytes));
  const quarter = Math.floor(seen.length / 4);
  const growth = least(seen.slice(-quarter)) - least(seen.slice(quarter, 2 * quarter));
  console.log(`growth from the second quarter to the last: ${megabytes(growth)}`);
  return growth <= allowedGrowthBytes ? 0 : 1;
}
