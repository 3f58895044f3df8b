/**
 * The threads that engines leave behind, as the operating system counts them. In a browser that nobody listens to:
 * Chromium starts workers otherwise while a debugger looks, and loses none.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@playwright/test';
import { ensureChromium } from '../../scripts/chromium.js';
import { Program } from './program.js';

test.skip(!existsSync('/proc/self/task'), 'threads are counted where Linux lists them');

let folder = '';
let chromium: Program | null = null;

test.beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vecinity-threads-'));
});

test.afterEach(async () => {
  await chromium?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('engines that have ended leave no thread behind', async ({ baseURL }) => {
  const flags = ['--headless=new', '--no-sandbox', '--enable-logging=stderr', `--user-data-dir=${folder}`];
  const browser = new Program(ensureChromium(), [...flags, `${baseURL}/endings.html`]);
  chromium = browser;
  const [, ended] = await browser.line(/"(\d+) engines have ended"/);
  // Chromium may still forget one now and then; where inner workers were not ended first, every other one stayed.
  await expect.poll(() => countWorkerThreads(browser.id)).toBeLessThan(Number(ended) / 4);
});

function countWorkerThreads(browserId: number): number {
  const renderers = readdirSync('/proc').filter((id) => isRenderer(id) && isBelow(id, browserId));
  const names = renderers.flatMap((id) =>
    readdirSync(`/proc/${id}/task`).map((task) => `/proc/${id}/task/${task}/comm`),
  );
  return names.filter((name) => read(name).startsWith('DedicatedWorker')).length;
}

function isRenderer(id: string): boolean {
  return /^\d+$/.test(id) && read(`/proc/${id}/cmdline`).includes('--type=renderer');
}

function isBelow(id: string, ancestor: number): boolean {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${id}/status`))?.[1] ?? 0);
  return parent === ancestor || (parent > 1 && isBelow(String(parent), ancestor));
}

/** Empty for a process or thread that ended meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
