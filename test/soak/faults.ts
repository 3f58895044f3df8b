/** What a browser does to a page, through Chromium's debugging protocol: each kind by its name, done to a tab by chance. */
import { appendFile } from 'node:fs/promises';
import type { BrowserContext, CDPSession } from '@playwright/test';
import { type Hub, type Manner, manners } from './hub.js';
import type { Random } from './random.js';
import type { Tab } from './tab.js';

export interface Stage {
  context: BrowserContext;
  browser: CDPSession;
  origin: string;
  hub: Hub;
  /** The file that is served as the Service Worker. */
  serviceWorkerFile: string;
  random: Random;
  /** Does something now and undoes it after a while, or when the soak ends. */
  last(durationMs: number, undo: () => Promise<unknown>): void;
  /** Tells, before and after, that the Service Worker is stopped: a `fetch` that it holds then breaks. */
  serviceWorkerStops(): void;
}

/** False when there was nothing to do it to. */
export type Fault = (tab: Tab, stage: Stage) => Promise<boolean>;

const workerOf =
  (how: Parameters<Tab['harm']>[0]): Fault =>
  (tab) =>
    tab.harm(how);

/** The visit ends; whatever its page waits for is dropped. */
const leaving =
  (how: (tab: Tab, stage: Stage) => Promise<unknown>): Fault =>
  async (tab, stage) => {
    tab.leave();
    await how(tab, stage);
    return true;
  };

async function stoppingServiceWorker(stage: Stage, stop: () => Promise<unknown>): Promise<void> {
  stage.serviceWorkerStops();
  await stop();
  stage.serviceWorkerStops();
}

const lasting =
  (range: readonly [leastMs: number, mostMs: number], begin: Fault, end: (tab: Tab, stage: Stage) => unknown): Fault =>
  async (tab, stage) => {
    if (!(await begin(tab, stage))) return false;
    stage.last(stage.random.between(...range), async () => end(tab, stage));
    return true;
  };

const send =
  (...[method, params]: Parameters<CDPSession['send']>): Fault =>
  async ({ session }) => {
    await session.send(method, params);
    return true;
  };

/** For as long as an outage takes that nobody would call one. */
const misbehaving = (manner: Manner): Fault =>
  lasting(
    [1_000, 8_000],
    async (_tab, { hub }) => {
      hub.behave(manner);
      return true;
    },
    (_tab, { hub }) => hub.behave(null),
  );

/** Some process that shows tabs, and may run the Service Worker; null when there is none. */
async function pickRenderer({ browser, random }: Stage): Promise<number | null> {
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  const ids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  return ids.length === 0 ? null : random.pick(ids);
}

const faults: Readonly<Record<string, Fault>> = {
  'service-worker-stopped': async ({ session }, stage) => {
    await session.send('ServiceWorker.enable');
    await stoppingServiceWorker(stage, () => session.send('ServiceWorker.stopAllWorkers'));
    return true;
  },
  'service-worker-updated': async ({ page }, stage) => {
    await appendFile(stage.serviceWorkerFile, '\n// a new version');
    await stoppingServiceWorker(stage, () => page.evaluate(() => window.soak.updateServiceWorker()));
    return true;
  },
  'engine-worker-terminated': workerOf('terminate'),
  'engine-worker-closed': workerOf('close'),
  'engine-worker-threw': workerOf('throw'),
  'compute-worker-killed': workerOf('kill-compute'),
  'compute-worker-hung': workerOf('hang-compute'),
  'wasm-trapped': workerOf('trap'),
  'out-of-memory': workerOf('out-of-memory'),
  'wrong-numbers': workerOf('compute-wrong-numbers'),
  'tab-closed': leaving(({ page }) => page.close()),
  // The browser may keep the Service Worker in the very process that crashes.
  'tab-crashed': leaving(async ({ page, session }, stage) => {
    await stoppingServiceWorker(stage, async () => {
      const crashed = page.waitForEvent('crash');
      session.send('Page.crash').catch(() => {});
      await crashed;
    });
    await page.close();
  }),
  'tab-reloaded': leaving(({ page }) => page.reload()),
  'tab-hard-reloaded': leaving(async ({ page, session }) => {
    await Promise.all([page.waitForEvent('load'), session.send('Page.reload', { ignoreCache: true })]);
  }),
  'tab-navigated': leaving(({ page }) => page.goto('about:blank')),
  'tab-frozen': lasting([1_000, 15_000], send('Page.setWebLifecycleState', { state: 'frozen' }), ({ session }) =>
    session.send('Page.setWebLifecycleState', { state: 'active' }),
  ),
  'tab-stuck': lasting(
    [500, 12_000],
    async ({ session }) => {
      await session.send('Debugger.enable');
      await session.send('Debugger.pause');
      return true;
    },
    ({ session }) => session.send('Debugger.disable'),
  ),
  'cpu-throttled': lasting([2_000, 10_000], send('Emulation.setCPUThrottlingRate', { rate: 6 }), ({ session }) =>
    session.send('Emulation.setCPUThrottlingRate', { rate: 1 }),
  ),
  'storage-cleared': async ({ session }, { origin }) => {
    const storageTypes = 'cache_storage,file_systems,indexeddb,local_storage';
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes });
    return true;
  },
  'quota-lowered': lasting(
    [2_000, 10_000],
    async ({ session }, { origin }) => {
      await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 });
      return true;
    },
    ({ session }, { origin }) => session.send('Storage.overrideQuotaForOrigin', { origin }),
  ),
  'process-stopped': async (_tab, stage) => {
    const id = await pickRenderer(stage);
    if (id === null) return false;
    process.kill(id, 'SIGSTOP');
    stage.last(stage.random.between(1_000, 15_000), async () => process.kill(id, 'SIGCONT'));
    return true;
  },
  ...Object.fromEntries(manners.map((manner) => [`hub-${manner}`, misbehaving(manner)])),
};

/** Only where a GPU computes. */
const gpuFaults: Readonly<Record<string, Fault>> = {
  'gpu-crashed': async (_tab, { browser }) => {
    await browser.send('Browser.crashGpuProcess');
    return true;
  },
};

export function faultsOn(gpu: boolean): Readonly<Record<string, Fault>> {
  return gpu ? { ...faults, ...gpuFaults } : faults;
}
