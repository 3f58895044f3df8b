/** Finds a Chromium for tests and benchmarks, and installs one where none is found and that is possible. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from '@playwright/test';

const commands = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

const applications = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
];

/** The path of a Chromium that starts, or null: `CHROME_PATH`, then the system's, then Playwright's own. */
export function findChromium(): string | null {
  const { CHROME_PATH } = process.env;
  if (CHROME_PATH) {
    if (starts(CHROME_PATH)) return CHROME_PATH;
    throw new Error(`CHROME_PATH is ${CHROME_PATH}, which does not start.`);
  }
  const candidates = [...commands.map(which), ...applications, playwrightPath()];
  return candidates.find((path) => path !== null && starts(path)) ?? null;
}

/** `findChromium`, else installs Playwright's, else Debian's package when we may. Throws with what to do by hand. */
export function ensureChromium(): string {
  const found = findChromium();
  if (found) return found;
  console.log('No Chromium was found; trying `npx playwright install chromium`.');
  run('npx', ['playwright', 'install', 'chromium']);
  const installed = findChromium();
  if (installed) return installed;
  if (process.getuid?.() === 0 && which('apt-get')) {
    console.log('Trying `apt-get install chromium`.');
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', 'chromium']);
  }
  const packaged = findChromium();
  if (packaged) return packaged;
  throw new Error(
    'The browser tests need Chromium and none could be installed. Install Chrome or Chromium, or set CHROME_PATH to one.',
  );
}

function which(command: string): string | null {
  const { status, stdout } = spawnSync(process.platform === 'win32' ? 'where' : 'which', [command], {
    encoding: 'utf8',
  });
  return status === 0 ? (stdout.split('\n')[0]?.trim() ?? null) : null;
}

function playwrightPath(): string | null {
  const path = chromium.executablePath();
  return existsSync(path) ? path : null;
}

/** A file may be there and still lack its libraries. */
function starts(path: string): boolean {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

function run(command: string, args: string[]): void {
  spawnSync(command, args, { stdio: 'inherit' });
}
