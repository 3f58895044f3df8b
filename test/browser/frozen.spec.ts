/** Tabs whose processes are stopped and go on later: pages and workers sleep, locks stay held, messages wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { leaks, openEngine, startJob } from './engine-page.js';
import { processOf, whileStopped } from './process.js';

const jobTexts = 1_500;

interface Tab {
  page: Page;
  process: number;
}

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

/** Tabs with processes of their own; the first one has the engine. */
async function openTabs(context: BrowserContext, count: number): Promise<Tab[]> {
  const tabs: Tab[] = [];
  for (let at = 0; at < count; at += 1) {
    const page = await context.newPage();
    await openEngine(page);
    tabs.push({ page, process: await processOf(page) });
  }
  expect(new Set(tabs.map(({ process }) => process)).size).toBe(count);
  return tabs;
}

function embedOne({ page }: Tab): Promise<number[]> {
  return page.evaluate(async () => [...(await window.vecinity.embed('a text'))]);
}

function jobOf({ page }: Tab): Promise<unknown> {
  return page.evaluate(() => window.pending);
}

/** Which tabs have an engine at work. */
function engines(tabs: readonly Tab[]): boolean[] {
  return tabs.map(({ page }) => page.workers().length > 0);
}

function leaderLocks({ page }: Tab): Promise<number> {
  return page.evaluate(async () => {
    const { held = [] } = await navigator.locks.query();
    return held.filter(({ name }) => name?.endsWith(':leader')).length;
  });
}

test('a tab that freezes in the middle of a batch loses the engine, and follows when it wakes', async ({ context }) => {
  const tabs = await openTabs(context, 3);
  const [first, second, third] = tabs as [Tab, Tab, Tab];
  const before = await embedOne(second);
  await startJob(first.page);
  await startJob(second.page);
  await whileStopped([first.process], async () => {
    expect(await jobOf(second)).toBe(jobTexts);
    expect(await embedOne(third)).toEqual(before);
  });
  expect(await jobOf(first)).toBe(jobTexts);
  for (const tab of tabs) expect(await embedOne(tab)).toEqual(before);
  await expect.poll(() => engines(tabs).filter((has) => has).length).toBe(1);
  expect(engines(tabs)[0]).toBe(false);
  expect(await leaderLocks(first)).toBe(1);
});

test('a tab that follows and freezes keeps nobody from the engine, and its job ends when it wakes', async ({
  context,
}) => {
  const tabs = await openTabs(context, 3);
  const [first, second, third] = tabs as [Tab, Tab, Tab];
  await startJob(second.page);
  await whileStopped([second.process], async () => {
    await startJob(third.page);
    expect(await jobOf(third)).toBe(jobTexts);
    await embedOne(first);
  });
  expect(await jobOf(second)).toBe(jobTexts);
  expect(engines(tabs)).toEqual([true, false, false]);
});

test('tabs that sleep together with the machine keep their leader', async ({ context }) => {
  const tabs = await openTabs(context, 2);
  const [first, second] = tabs as [Tab, Tab];
  await startJob(second.page);
  // Longer than a leader may be silent. Real time, because the clocks of stopped processes are no test's to move.
  await whileStopped([second.process, first.process], () => sleep(12_000));
  expect(await jobOf(second)).toBe(jobTexts);
  await embedOne(first);
  expect(engines(tabs)).toEqual([true, false]);
});
