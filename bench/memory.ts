/**
 * `npm run bench -- memory [texts]`: what one page's process holds while a model loads and while many texts of mixed
 * lengths are embedded, in requests of 64, above what the empty page held. Exits with 1 when what is in use grows:
 * garbage that the browser has not collected yet counts as resident, but not as in use.
 */
import path from 'node:path';
import type { Page } from '@playwright/test';
import { ensureChromium } from '../scripts/chromium.js';
import { repositoryRoot } from '../src/vite/bundle.js';
import { type BenchBrowser, startBrowser } from './browser.js';
import { copyPackage } from './package.js';
import { startServer } from './server.js';

const model = 'all-MiniLM-L6-v2';
const defaultTexts = 20_000;
const textsPerRequest = 64;
const samples = 20;
/** What may be in use at the end more than after a quarter: code that was compiled, caches of the browser. */
const allowedGrowthBytes = 4 * 2 ** 20;
const words =
  'the of a model page browser weights vector query answer city river people water light music history'.split(' ');

interface Run {
  seen: Memory[];
  /** In use after a quarter of the texts and at the end, by the page and all its workers. */
  usedBytes: [number, number];
}

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

async function measure(browser: BenchBrowser, texts: number): Promise<Run> {
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
  let quarterBytes = 0;
  for (let done = 0; done < texts; done += textsPerRequest) {
    const call = Array.from({ length: Math.min(textsPerRequest, texts - done) }, (_, index) => textOf(done + index));
    const form = { batchSize: 0, sorted: false };
    await page.evaluate(({ call, form }) => window.bench.time([call], form), { call, form });
    const next = done + call.length;
    const part = Math.floor((next / texts) * samples);
    if (part === Math.floor((done / texts) * samples)) continue;
    seen.push(await read(next));
    if (part >= samples / 4 && quarterBytes === 0) quarterBytes = await measureUsed(page);
  }
  return { seen, usedBytes: [quarterBytes, await measureUsed(page)] };
}

/** Bytes of everything that can still be reached: the browser collects garbage for this. */
function measureUsed(page: Page): Promise<number> {
  return page.evaluate(async () => {
    // Chromium has it on isolated pages; the compiler's library does not know it.
    const clock = performance as unknown as { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> };
    return (await clock.measureUserAgentSpecificMemory()).bytes;
  });
}

/** A text of 4 to 120 words, another one for every number. */
function textOf(number: number): string {
  const length = 4 + ((number * 7_919) % 117) * ((number * 31) % 3 === 0 ? 1 : 0.25);
  return Array.from(
    { length },
    (_, place) => words[(number * 13 + place * 7 + (place % 5) * number) % words.length],
  ).join(' ');
}

function report({ seen, usedBytes: [quarter, end] }: Run): number {
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  console.log('texts    resident   peak, above the empty page');
  for (const { texts, residentBytes, peakBytes } of seen) {
    console.log(`${String(texts).padEnd(9)}${megabytes(residentBytes).padEnd(11)}${megabytes(peakBytes)}`);
  }
  console.log(`in use after a quarter ${megabytes(quarter)}, at the end ${megabytes(end)}`);
  return end - quarter <= allowedGrowthBytes ? 0 : 1;
}
