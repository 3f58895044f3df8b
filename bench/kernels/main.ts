/** Prints where the WASM engine's time goes: every kernel in real Chromium, its GOPS and its share of the peak. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findChromium } from '../../scripts/chromium.js';
import { ensureKernels } from '../../scripts/kernels.js';
import type { GemmForm } from '../../src/backend/wasm/plan.js';
import { bundleLibrary, repositoryRoot } from '../../src/vite/bundle.js';
import { type BenchBrowser, startBrowser } from '../browser.js';
import { startServer } from '../server.js';
import type { KernelResult } from './measure.js';

const forms: readonly GemmForm[] = ['quad', 'pair', 'single', 'add', 'i16', 'w16', 'f32'];

export async function main(): Promise<number> {
  const executable = findChromium();
  if (executable === null) {
    console.error('No Chromium was found; set CHROME_PATH.');
    return 1;
  }
  await ensureKernels();
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-kernels-'));
  const input = { measure: path.join(repositoryRoot, 'bench/kernels/measure.ts') };
  await bundleLibrary({ input, folder, buildId: 'kernels', platform: 'browser' });
  const generated = path.join(repositoryRoot, 'src/backend/wasm/generated');
  const mounts = [
    { prefix: '/kernels/', folder },
    { prefix: '/generated/', folder: generated },
  ];
  const server = await startServer({ mounts, isolated: true });
  const browser = await startBrowser(executable, server.origin);
  try {
    console.log(`Chromium ${browser.version}, all-MiniLM-L6-v2, 128 tokens, one thread, best of many`);
    for (const form of forms) printTable(form, await measure(browser, form));
  } finally {
    await browser.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
  return 0;
}

async function measure(browser: BenchBrowser, form: GemmForm): Promise<KernelResult[]> {
  const page = await browser.open();
  try {
    return await page.evaluate(
      (asked) =>
        new Promise<KernelResult[]>((resolve, reject) => {
          const worker = new Worker('/kernels/measure.js', { type: 'module' });
          worker.addEventListener('message', ({ data }) => {
            worker.terminate();
            if (data.error === undefined) resolve(data.results);
            else reject(new Error(data.error));
          });
          worker.addEventListener('error', ({ message }) => reject(new Error(message)));
          worker.postMessage({ form: asked, assetsUrl: '/generated/' });
        }),
      form,
    );
  } finally {
    await page.close();
  }
}

function printTable(form: GemmForm, results: readonly KernelResult[]): void {
  const total = results.reduce((sum, { calls, microseconds }) => sum + calls * microseconds, 0);
  console.log(`\n${form}: ${(total / 1e3).toFixed(1)} ms a text of 128 tokens`);
  for (const { kernel, microseconds, gops, peakShare, calls } of results) {
    const share = calls === 0 ? '' : `${((100 * calls * microseconds) / total).toFixed(1)} %`;
    console.log(
      [
        kernel.padEnd(38),
        `${microseconds.toFixed(1)} us`.padStart(11),
        (gops === null ? '' : `${gops.toFixed(1)} GOPS`).padStart(12),
        (peakShare === null ? '' : `${(100 * peakShare).toFixed(0)} % of peak`).padStart(14),
        share.padStart(8),
      ].join(' '),
    );
  }
}
