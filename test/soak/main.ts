/** The soak command: a built site, a hub and a browser of its own, the soak in it, and what came of it. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium } from '@playwright/test';
import { copyPackage } from '../../bench/package.js';
import { startServer } from '../../bench/server.js';
import { ensureChromium } from '../../scripts/chromium.js';
import { UsageError } from '../../scripts/command-line.js';
import { answerPassedBy } from '../../src/vite/passed-by.js';
import { faultsOn } from './faults.js';
import { startHub } from './hub.js';
import { parseOptions, type SoakOptions, usage } from './options.js';
import type { SoakSetup, WrongDevice } from './page/subject.js';
import { Soak, type SoakParts } from './soak.js';
import { Tab } from './tab.js';
import { Tally } from './tally.js';
import { readWorkload, type Workload } from './workload.js';

const progressMs = 10_000;
const browserEndMs = 1_000;
const page = { name: 'soak', title: 'Soak', folder: fileURLToPath(new URL('./page', import.meta.url)) };

/** No name but ours may be resolved: what would leave the machine fails instead. */
const browserArgs = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

/** Chromium ends itself, and not only its GPU process, when that has crashed a few times. */
const gpuArgs = ['--enable-unsafe-webgpu', '--disable-gpu-process-crash-limit'];

/** Runs the soak for these command-line words: 0, 1 when a request was lost or an answer wrong, 2 for bad usage. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (!options.help) return await run(options);
    console.log(usage);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

async function run(options: SoakOptions): Promise<number> {
  const workload = await readWorkload(options);
  const { embedding, reranker } = workload.subject;
  const folders = { [embedding.name]: embedding.folder, [reranker.name]: reranker.folder };
  const hub = await startHub({ folders, onnx: options.gpu });
  const built = await copyPackage();
  const mounts = [
    { prefix: '/vecinity/', folder: built.folder },
    { prefix: '/', folder: built.folder },
  ];
  // As Vite's servers have it, and as the README asks it of every host.
  const before = answerPassedBy({ base: '/', routePrefix: '' });
  const server = await startServer({ mounts, page, isolated: true, before });
  const args = options.gpu ? [...browserArgs, ...gpuArgs] : browserArgs;
  const browser = await chromium.launch({ executablePath: ensureChromium(), headless: true, args });
  try {
    const place = { origin: server.origin, hub, serviceWorkerFile: path.join(built.folder, 'vecinity-sw.js') };
    return await soak(browser, place, { options, workload });
  } finally {
    await browser.close();
    await Promise.all([server.close(), hub.close(), built.remove()]);
  }
}

type Place = Pick<SoakParts['stage'], 'origin' | 'hub' | 'serviceWorkerFile'>;

interface Task {
  options: SoakOptions;
  workload: Workload;
}

async function soak(browser: Browser, place: Place, { options, workload }: Task): Promise<number> {
  const { minutes, seed, tabs } = options;
  console.log(`soak of ${minutes} min with seed ${seed}: ${tabs} tabs, Chromium ${browser.version()}`);
  const setup = setupFor(place.hub.url, { options, workload });
  await learn(await browser.newContext(), { origin: place.origin, setup, workload });
  const context = await browser.newContext();
  const tally = new Tally();
  await context.exposeFunction('tellOfDevice', (event: WrongDevice) => tally.device(event));
  const parts = { setup, workload, tally, seed, tabs, complain: (sentence: string) => console.error(sentence) };
  const stage = { ...place, context, browser: await browser.newBrowserCDPSession() };
  const start = Date.now();
  const timer = setInterval(
    () => console.log(`${Math.round((Date.now() - start) / 1_000)} s: ${tally.line}`),
    progressMs,
  );
  let isWhole = true;
  try {
    await new Soak({ ...parts, stage, faults: chosenFaults(options) }).run(minutes * 60_000);
  } catch (error) {
    // Pages close a moment before their browser is known to be gone.
    await setTimeout(browserEndMs);
    if (browser.isConnected()) throw error;
    isWhole = false;
    const seconds = Math.round((Date.now() - start) / 1_000);
    console.error(
      `The browser ended itself after ${seconds} s: the soak is not complete, and these are the counts so far.`,
    );
  } finally {
    clearInterval(timer);
  }
  console.log(`\n${tally.summary}`);
  if (options.json !== null) await writeFile(options.json, `${JSON.stringify(tally.counts, null, 2)}\n`);
  return isWhole ? tally.exitCode : 1;
}

function chosenFaults({ gpu, faults: kinds }: SoakOptions): SoakParts['faults'] {
  const all = faultsOn(gpu);
  if (kinds === null) return all;
  return Object.fromEntries(Object.entries(all).filter(([kind]) => kinds.includes(kind)));
}

function setupFor(hubUrl: string, { options: { gpu }, workload }: Task): SoakSetup {
  const { embedding, reranker } = workload.subject;
  // A run that hangs is found out in the time of a soak; no honest run takes this long.
  const runTimeoutMs = 15_000;
  const device = gpu ? 'webgpu' : 'wasm';
  return {
    options: { model: embedding.name, hubUrl, modelsUrl: null, device, runTimeoutMs, share: true },
    reranker: reranker.name,
  };
}

/** In a browser profile of its own, before anything is disturbed. */
async function learn(
  context: BrowserContext,
  { origin, setup, workload }: { origin: string; setup: SoakSetup; workload: Workload },
): Promise<void> {
  const tab = await Tab.visit(context, origin, null);
  const limitMs = 120_000;
  const opened = await tab.open(setup, limitMs);
  if (typeof opened === 'string' || 'code' in opened)
    throw new Error(`No engine to learn from: ${JSON.stringify(opened)}`);
  await workload.learn(async (ask) => {
    const hearing = await tab.ask(ask, limitMs);
    if (typeof hearing === 'string') throw new Error(`The undisturbed engine was ${hearing}.`);
    return hearing;
  });
  await context.close();
}
