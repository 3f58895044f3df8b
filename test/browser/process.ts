/** The renderer process behind a tab, which a test can stop and continue: a freeze that no page and no worker escapes. */
import type { Page } from '@playwright/test';

/** Found in a trace of the browser: every event there names its process, and the page leaves one of this name. */
export async function processOf(page: Page): Promise<number> {
  const browser = page.context().browser();
  if (!browser) throw new Error('The page belongs to no browser of the test.');
  const mark = crypto.randomUUID();
  await browser.startTracing(page, { categories: ['blink.user_timing'] });
  await page.evaluate((name) => performance.mark(name), mark);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const event = traceEvents.find(({ name }: { name: string }) => name === mark);
  if (typeof event?.pid !== 'number') throw new Error('The trace does not hold the mark of the page.');
  return event.pid;
}

/** Stops the processes, as the system does with a machine that is put to sleep, until the work is done. */
export async function whileStopped(processes: readonly number[], work: () => Promise<void>): Promise<void> {
  for (const id of processes) process.kill(id, 'SIGSTOP');
  try {
    await work();
  } finally {
    for (const id of processes) process.kill(id, 'SIGCONT');
  }
}
