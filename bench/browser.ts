/** The benchmark's browser: one real headless Chromium with a disk cache, a fresh page for every turn, memory by process. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, type CDPSession, chromium, type Page } from '@playwright/test';

/**
 * The cache must hold the largest weights whole (Chromium keeps a file only up to an eighth of the cache), and no name
 * but ours may be resolved, so that nothing comes from a CDN or a hub unnoticed.
 */
export const browserArgs = [
  '--no-sandbox',
  '--disk-cache-size=2147483648',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export interface BenchBrowser {
  version: string;
  /** Opens the page of the benchmark in a process of its own. */
  open(): Promise<Page>;
  /** Peak resident memory of each renderer in bytes, by process id; empty where the system does not say. */
  rendererMemory(): Promise<Map<number, ProcessMemory>>;
  close(): Promise<void>;
}

export interface ProcessMemory {
  peakBytes: number;
  residentBytes: number;
  /** Processor time so far, in seconds: finds the renderer that did the work. */
  cpuSeconds: number;
}

interface Running {
  context: BrowserContext;
  session: CDPSession;
  version: string;
  closed: boolean;
}

/**
 * Starts Chromium from `executablePath` with a profile that is thrown away at the end. A browser that crashed is started
 * again for the next page, with the same profile and so the same cache.
 */
export async function startBrowser(executablePath: string, origin: string): Promise<BenchBrowser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'vecinity-bench-'));
  let running = await launch(executablePath, profile);
  return {
    version: running.version,
    async open() {
      if (running.closed) running = await launch(executablePath, profile);
      return openPage(running.context, origin);
    },
    rendererMemory: () => readRenderers(running.session),
    async close() {
      await running.context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

async function launch(executablePath: string, profile: string): Promise<Running> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: browserArgs,
  });
  const browser = context.browser();
  if (browser === null) throw new Error('Chromium gave no browser handle.');
  const running = { context, session: await browser.newBrowserCDPSession(), version: browser.version(), closed: false };
  context.once('close', () => {
    running.closed = true;
  });
  return running;
}

async function openPage(context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.bench !== undefined);
  return page;
}

async function readRenderers(session: CDPSession): Promise<Map<number, ProcessMemory>> {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = new Map<number, ProcessMemory>();
  for (const { id, type, cpuTime } of processInfo) {
    if (type !== 'renderer') continue;
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => null);
    if (status === null) continue;
    renderers.set(id, {
      peakBytes: readKilobytes(status, 'VmHWM'),
      residentBytes: readKilobytes(status, 'VmRSS'),
      cpuSeconds: cpuTime,
    });
  }
  return renderers;
}

function readKilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
}
