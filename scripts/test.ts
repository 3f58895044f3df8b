/**
 * `npm test`: types, lint, Node tests, the build, browser tests, and parity with the reference where `../shared` lies
 * beside the checkout. Runs everything even when something fails, and ends with one line: `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../src/vite/bundle.js';
import { ensureChromium } from './chromium.js';
import { ensureKernels } from './kernels.js';

interface Count {
  passed: number;
  failed: number;
}

export async function main(): Promise<number> {
  const reports = await mkdtemp(path.join(tmpdir(), 'vecinity-test-'));
  try {
    const total = await runAll(reports);
    console.log(`\n${total.passed} passed, ${total.failed} failed`);
    return total.failed === 0 ? 0 : 1;
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
}

async function runAll(reports: string): Promise<Count> {
  await ensureKernels();
  const counts = [
    runStep('types', 'npm', ['run', '--silent', 'typecheck']),
    runStep('lint', 'npm', ['run', '--silent', 'lint']),
    await runVitest(path.join(reports, 'vitest.json')),
    runStep('build', 'npm', ['run', '--silent', 'build']),
    await runPlaywright(path.join(reports, 'playwright.json')),
  ];
  return counts.reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }));
}

function runStep(name: string, command: string, args: string[]): Count {
  console.log(`\n── ${name}`);
  const ok = spawn(command, args) === 0;
  if (!ok) console.error(`${name} failed`);
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function runVitest(report: string): Promise<Count> {
  console.log('\n── unit and conformance');
  const status = spawn('npx', [
    'vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const { numPassedTests, numFailedTests } = await readReport(report, { numPassedTests: 0, numFailedTests: 0 });
  return counted(status, numPassedTests, numFailedTests);
}

async function runPlaywright(report: string): Promise<Count> {
  console.log('\n── browser');
  try {
    ensureChromium();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return { passed: 0, failed: 1 };
  }
  const hasShared = existsSync(path.join(repositoryRoot, '../shared/goldens'));
  if (!hasShared) console.log('../shared is not there: parity with the reference on the real model is left out.');
  const projects = ['browser', 'webgpu', ...(hasShared ? ['parity'] : [])].map((name) => `--project=${name}`);
  const status = spawn('npx', ['playwright', 'test', '--reporter=list,json', ...projects], {
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
  });
  const { stats } = await readReport(report, { stats: { expected: 0, unexpected: 0, flaky: 0 } });
  return counted(status, stats.expected, stats.unexpected + stats.flaky);
}

/** A runner that fails without a failed test (a file that cannot be loaded, a server that does not start) counts once. */
function counted(status: number, passed: number, failed: number): Count {
  return { passed, failed: status === 0 ? failed : Math.max(1, failed) };
}

function spawn(command: string, args: string[], env: Record<string, string> = {}): number {
  const options = { cwd: repositoryRoot, stdio: 'inherit', env: { ...process.env, ...env } } as const;
  return spawnSync(command, args, { ...options, shell: process.platform === 'win32' }).status ?? 1;
}

/** What a runner wrote, or `empty` when it ended before that. */
async function readReport<T>(file: string, empty: T): Promise<T> {
  if (!existsSync(file)) return empty;
  // Both runners document these members; everything else in the report is left alone.
  return JSON.parse(await readFile(file, 'utf8')) as T;
}
