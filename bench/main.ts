/** The benchmark command: reads its inputs, starts server and browser, runs the rounds, prints and writes the results. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { ensureChromium } from '../scripts/chromium.js';
import { UsageError } from '../scripts/command-line.js';
import { type BenchBrowser, startBrowser } from './browser.js';
import { type Inputs, readInputs } from './inputs.js';
import { describeMachine, formatMachine } from './machine.js';
import { type BenchOptions, parseOptions, usage } from './options.js';
import { copyPackage } from './package.js';
import { formatReport, toRatios, toRows } from './report.js';
import { runRounds, type SystemResult } from './rounds.js';
import { type BenchServer, type ServerOptions, startServer } from './server.js';
import { listSystems, type System, selectSystems } from './systems.js';

/** Runs the benchmark for these command-line words and returns the exit code: 0, 1 when a system failed, 2 for bad usage. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options.help) {
      console.log(usage);
      return 0;
    }
    return await run(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

async function run(options: BenchOptions): Promise<number> {
  const inputs = await readInputs(options);
  const systems = selectSystems(listSystems({ ...inputs.model, cores: availableParallelism() }), options.systems);
  for (const note of inputs.notes) console.log(note);
  endOnSignal();
  const built = await copyPackage();
  try {
    const mounts = [...inputs.mounts, { prefix: '/vecinity/', folder: built.folder }];
    return await serve({ mounts, isolated: options.isolated }, { options, inputs, systems });
  } finally {
    await built.remove();
  }
}

/** Playwright answers SIGTERM by closing the browser only, and the run would start another one; the exit also ends it. */
function endOnSignal(): void {
  process.once('SIGTERM', () => process.exit(143));
}

async function serve(serverOptions: ServerOptions, job: Job): Promise<number> {
  const server = await startServer(serverOptions);
  try {
    const browser = await startBrowser(ensureChromium(), server.origin);
    try {
      return await measure(browser, server, job);
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
  }
}

interface Job {
  options: BenchOptions;
  inputs: Inputs;
  systems: readonly System[];
}

async function measure(browser: BenchBrowser, server: BenchServer, { options, inputs, systems }: Job): Promise<number> {
  const machine = describeMachine({ version: browser.version, isolated: await isIsolated(browser) });
  console.log(formatMachine(machine));
  console.log(
    `${inputs.corpus.name}: ${inputs.corpus.texts.length} texts; ${options.rounds} round(s), a fresh page each`,
  );
  const results = await runRounds(systems, {
    browser,
    bytesSent: () => server.bytesSent(),
    workload: inputs.workload,
    rounds: options.rounds,
    log: (line) => console.error(line),
  });
  const rows = toRows(results, { name: inputs.corpus.name, count: inputs.corpus.texts.length });
  console.log(`\n${formatReport(rows, results)}`);
  if (options.json !== null) {
    const content = { machine, rows, ratios: toRatios(rows), failures: listFailures(results) };
    await writeFile(options.json, `${JSON.stringify(content, null, 2)}\n`);
    console.log(`\nwritten: ${options.json}`);
  }
  return listFailures(results).length === 0 ? 0 : 1;
}

function listFailures(results: readonly SystemResult[]) {
  return results.flatMap(({ system, failure }) => (failure === null ? [] : [{ system: system.key, reason: failure }]));
}

async function isIsolated(browser: BenchBrowser): Promise<boolean> {
  const page = await browser.open();
  try {
    return await page.evaluate(() => window.crossOriginIsolated);
  } finally {
    await page.close();
  }
}
