/** Very many requests: cancelled ones leave nothing behind, and eight tabs at once are all answered, each in its turn. */
import { type CDPSession, expect, type Page, test } from '@playwright/test';
import { openEngine, registerServiceWorker } from './engine-page.js';

interface Ledger {
  /** Message channels that were made, and ports that were closed: one of each channel is ours to close. */
  channels: number;
  closed: number;
  /** Abort listeners that are still there. */
  listeners: number;
}

/** Counts what the page's scripts open and close, before any of them runs. */
async function keepLedger(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const ledger = { channels: 0, closed: 0, listeners: 0 };
    Object.assign(window, { ledger });
    const Channel = window.MessageChannel;
    window.MessageChannel = class extends Channel {
      constructor() {
        super();
        ledger.channels += 1;
      }
    };
    const { close } = MessagePort.prototype;
    MessagePort.prototype.close = function (this: MessagePort) {
      ledger.closed += 1;
      close.call(this);
    };
    const { addEventListener, removeEventListener } = AbortSignal.prototype;
    AbortSignal.prototype.addEventListener = function (this: AbortSignal, ...given: [string, EventListener]) {
      ledger.listeners += 1;
      addEventListener.apply(this, given);
    };
    AbortSignal.prototype.removeEventListener = function (this: AbortSignal, ...given: [string, EventListener]) {
      ledger.listeners -= 1;
      removeEventListener.apply(this, given);
    };
  });
}

function readLedger(page: Page): Promise<Ledger> {
  // What `keepLedger` put there.
  return page.evaluate(() => (window as unknown as { ledger: Ledger }).ledger);
}

/** Bytes that live in the page after its garbage was collected. */
async function heapBytes(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

/** Starts so many calls by each way into the engine and aborts each; gives the codes they ended with. */
function cancelMany(page: Page, count: number): Promise<Record<string, number>> {
  return page.evaluate(async (calls) => {
    const { vecinity } = window;
    const texts = Array.from({ length: 8 }, (_, at) => `text ${at} `.repeat(20));
    const body = JSON.stringify({ input: texts, truncate: true });
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
    const ways = [
      (signal: AbortSignal) => vecinity.embed(texts, { signal, truncate: true }),
      (signal: AbortSignal) => vecinity.embed('a text', { signal }),
      (signal: AbortSignal) => vecinity.fetch('/v1/embeddings', { ...init, signal }),
      (signal: AbortSignal) => vecinity.embeddings.create({ input: texts, truncate: true }, { signal }),
    ];
    const codes: Record<string, number> = {};
    const note = (code: string) => {
      codes[code] = (codes[code] ?? 0) + 1;
    };
    for (let done = 0; done < calls; done += 50) {
      const controllers = Array.from({ length: 50 }, () => new AbortController());
      const ended = controllers.map(({ signal }, at) =>
        ways[at % ways.length]?.(signal).then(
          () => note('answered'),
          (error) => note(error.code === 20 ? error.name : error.code),
        ),
      );
      // Some before they are sent on, some while they wait or run.
      for (const [at, controller] of controllers.entries()) {
        if (at % 3 === 0) controller.abort();
        else setTimeout(() => controller.abort(), at % 7);
      }
      await Promise.all(ended);
    }
    return codes;
  }, count);
}

for (const share of [false, true]) {
  test(`1,000 cancelled requests leave nothing behind in ${share ? 'a shared' : 'an'} engine`, async ({
    page,
    context,
  }) => {
    test.setTimeout(180_000);
    await keepLedger(page);
    await openEngine(page, { share });
    const session = await context.newCDPSession(page);
    await cancelMany(page, 200);
    const before = { heap: await heapBytes(session), ledger: await readLedger(page) };
    const codes = await cancelMany(page, 1_000);
    const { aborted = 0, AbortError = 0, answered = 0 } = codes;
    expect(aborted + AbortError + answered, JSON.stringify(codes)).toBe(1_000);
    expect(aborted + AbortError).toBeGreaterThan(500);
    const status = () => page.evaluate(async () => (await window.vecinity.status()).queue);
    await expect.poll(async () => (await status()).inputs).toBe(0);
    const after = await readLedger(page);
    expect(after.channels - after.closed).toBe(before.ledger.channels - before.ledger.closed);
    expect((await heapBytes(session)) - before.heap).toBeLessThan(1_000_000);
    expect(await page.evaluate(async () => (await window.vecinity.embed('next')).length)).toBeGreaterThan(0);
  });
}

test('a thousand answers leave no listener on the signal that they share', async ({ page }) => {
  await keepLedger(page);
  await openEngine(page);
  const ask = (count: number) =>
    page.evaluate(async (calls) => {
      const { signal } = new AbortController();
      for (let at = 0; at < calls; at += 1) await window.vecinity.embed('a', { signal });
    }, count);
  await ask(10);
  const { listeners } = await readLedger(page);
  await ask(1_000);
  expect((await readLedger(page)).listeners).toBe(listeners);
});

interface Flood {
  answered: number;
  wrong: number;
  /** Answers that were overtaken by more than the runs hold that are computed at a time. */
  late: number;
  /** Codes of what was not answered, with the number of each. */
  refused: Record<string, number>;
  /** The times after which the refused ones may come back. */
  retriesMs: number[];
  startedAt: number;
  /** When half of it had ended. */
  halfAt: number;
}

const flooding = 5_000;

/** Asks all of it in one go. */
function flood(page: Page): Promise<Flood> {
  return page.evaluate(async (count) => {
    const textOf = (at: number) => `w${at % 10} `.repeat(40);
    const right = (await window.vecinity.embed(Array.from({ length: 10 }, (_, at) => textOf(at)))).map(String);
    const refused: Record<string, number> = {};
    const retriesMs: number[] = [];
    const answered: number[] = [];
    const endedAt: number[] = [];
    let wrong = 0;
    const ask = async (at: number) => {
      try {
        const vector = await window.vecinity.embed(textOf(at));
        if (String(vector) !== right[at % 10]) wrong += 1;
        answered.push(at);
      } catch (thrown) {
        const { code, retryAfterMs } = thrown as { code: string; retryAfterMs: number };
        refused[code] = (refused[code] ?? 0) + 1;
        retriesMs.push(retryAfterMs);
      }
      endedAt.push(Date.now());
    };
    const startedAt = Date.now();
    await Promise.all(Array.from({ length: count }, (_, at) => ask(at)));
    const inOrder = answered.toSorted((a, b) => a - b);
    const late = answered.filter((own, at) => Math.abs(inOrder.indexOf(own) - at) > 200).length;
    const halfAt = endedAt[count / 2] ?? Number.NaN;
    return { answered: answered.length, wrong, late, refused, retriesMs, startedAt, halfAt };
  }, flooding);
}

interface Query {
  askedAt: number;
  answeredAt: number;
}

/** Asks one thing after the other for as long as the flood lasts. */
async function askMeanwhile(page: Page, flooded: Promise<Flood>): Promise<Query[]> {
  await page.evaluate(() => {
    window.ended = 0;
  });
  void flooded.finally(() =>
    page.evaluate(() => {
      window.ended = 1;
    }),
  );
  return await page.evaluate(async () => {
    const queries: { askedAt: number; answeredAt: number }[] = [];
    while (window.ended === 0) {
      const askedAt = Date.now();
      await window.vecinity.embed(`query ${queries.length}`);
      queries.push({ askedAt, answeredAt: Date.now() });
    }
    return queries;
  });
}

for (const place of ['the tab with the engine', 'another tab'] as const)
  test(`5,000 requests at once of ${place} are answered in order or told when to come back, and other tabs go between them`, async ({
    context,
  }) => {
    const pages = [await context.newPage(), await context.newPage(), await context.newPage()] as const;
    await keepLedger(pages[0]);
    for (const page of pages) await openEngine(page, { maxQueue: 500 });
    const [leader, follower, beside] = pages;
    const session = await context.newCDPSession(leader);
    const play = async () => {
      const flooded = flood(place === 'another tab' ? follower : leader);
      const queries = await askMeanwhile(beside, flooded);
      return { ...(await flooded), queries };
    };
    const first = await play();
    const before = { heap: await heapBytes(session), ledger: await readLedger(leader) };
    const second = await play();
    for (const { answered, wrong, late, refused, retriesMs, startedAt, halfAt, queries } of [first, second]) {
      expect({ wrong, late }).toEqual({ wrong: 0, late: 0 });
      expect(answered + (refused.overloaded ?? 0)).toBe(flooding);
      // At least the part of the queue that is left where two tabs wait.
      expect(answered).toBeGreaterThanOrEqual(250);
      expect(retriesMs.filter((ms) => !(ms > 0 && ms <= 60_000))).toEqual([]);
      // Where the flood comes first, one or none has its answer by then.
      const between = queries.filter(({ askedAt, answeredAt }) => askedAt >= startedAt && answeredAt <= halfAt);
      expect(between.length, JSON.stringify({ startedAt, halfAt, queries })).toBeGreaterThanOrEqual(4);
    }
    expect(await leader.evaluate(async () => (await window.vecinity.status()).queue.inputs)).toBe(0);
    const after = await readLedger(leader);
    expect(after.channels - after.closed).toBe(before.ledger.channels - before.ledger.closed);
    expect((await heapBytes(session)) - before.heap).toBeLessThan(1_000_000);
  });

test('a page that floods the Service Worker is answered or told when to come back, and a tab beside it is served', async ({
  context,
}) => {
  const [page, plain] = [await context.newPage(), await context.newPage()];
  await openEngine(page, { maxQueue: 20 });
  await registerServiceWorker(page);
  await plain.goto('/plain.html');
  const flooded = plain.evaluate(async () => {
    window.ended = 0;
    const seen = new Set<string>();
    const headers = { 'content-type': 'application/json' };
    const ask = async (at: number) => {
      const body = JSON.stringify({ input: `text ${at} `.repeat(60), truncate: true });
      const response = await fetch('/v1/embeddings', { method: 'POST', headers, body });
      const { data, error } = await response.json();
      const mayRetry = Number(response.headers.get('retry-after')) > 0;
      seen.add(data ? `${response.status} ${data.length}` : `${response.status} ${error.code} ${mayRetry}`);
      window.ended += 1;
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => ask(at)));
    return [...seen].sort();
  });
  await plain.waitForFunction(() => window.ended > 0);
  const lengths = await page.evaluate(async () => [
    (await window.vecinity.embed('a query')).length,
    (await window.vecinity.embed('another')).length,
  ]);
  expect(await plain.evaluate(() => window.ended)).toBeLessThan(1_000);
  expect(lengths).toEqual([64, 64]);
  expect(await flooded).toEqual(['200 1', '429 overloaded true']);
});

test('10,000 requests of eight tabs are all answered, in order and in turn', async ({ context }) => {
  test.setTimeout(300_000);
  const tabs: Page[] = [];
  for (let tab = 0; tab < 8; tab += 1) {
    const page = await context.newPage();
    await openEngine(page, { share: true });
    tabs.push(page);
  }
  const runs = tabs.map((page) =>
    page.evaluate(async () => {
      const texts = Array.from({ length: 10 }, (_, at) => `w${at}`);
      const right = (await window.vecinity.embed(texts)).map((vector) => vector.join());
      const requests = 1_250;
      const atOnce = 50;
      const ended: number[] = [];
      const endedAt: number[] = [];
      let next = 0;
      let wrong = 0;
      const askOn = async () => {
        while (next < requests) {
          const own = next++;
          const vector = await window.vecinity.embed(texts[own % 10] ?? '');
          if (vector.join() !== right[own % 10]) wrong += 1;
          ended.push(own);
          endedAt.push(Date.now());
        }
      };
      const startedAt = Date.now();
      await Promise.all(Array.from({ length: atOnce }, askOn));
      const late = ended.filter((own, at) => Math.abs(own - at) > atOnce).length;
      return { answered: ended.length, wrong, late, startedAt, endedAt };
    }),
  );
  const results = await Promise.all(runs);
  for (const { answered, wrong, late } of results)
    expect({ answered, wrong, late }).toEqual({ answered: 1_250, wrong: 0, late: 0 });
  // The tab that has the engine gets no more of it than the others, although it need not post its requests to itself.
  const firstEnd = Math.min(...results.map(({ endedAt }) => endedAt.at(-1) ?? Number.NaN));
  const shares = results.map(({ endedAt }) => endedAt.filter((time) => time <= firstEnd).length);
  expect(Math.min(...shares), shares.join()).toBeGreaterThan(0.7 * Math.max(...shares));
});
